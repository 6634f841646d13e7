"""Attention modules of BEV encoders and decoders."""

from bev.models.attention.deformable import DeformableAttention, DeformableSampling
from bev.models.attention.feed_forward import FeedForward
from bev.models.attention.spatial_cross import SpatialCrossAttention
from bev.models.attention.temporal_self import TemporalQueue, TemporalSelfAttention
from bev.models.attention.tokens import FeatureTokens
from bev.models.attention.visibility import VisiblePillars, project_pillars, visible_pillars

__all__ = [
    "DeformableAttention",
    "DeformableSampling",
    "FeatureTokens",
    "FeedForward",
    "SpatialCrossAttention",
    "TemporalQueue",
    "TemporalSelfAttention",
    "VisiblePillars",
    "project_pillars",
    "visible_pillars",
]
