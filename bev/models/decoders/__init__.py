"""Query decoders on a BEV map, and the ways to initialise their queries."""

from bev.models.decoders.curve_queries import CurveQueries
from bev.models.decoders.detr_decoder import DETRDecoder
from bev.models.decoders.heatmap_queries import HeatmapQueries
from bev.models.decoders.hybrid_queries import HybridQueries
from bev.models.decoders.queries import LearnedQueries, Queries

__all__ = ["CurveQueries", "DETRDecoder", "HeatmapQueries", "HybridQueries", "LearnedQueries", "Queries"]
