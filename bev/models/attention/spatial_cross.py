"""Spatial cross-attention: BEV queries read the images of the cameras that see them (BEVFormer, section 3.3).

Shapes: B batch, N cameras, Q = H * W queries, C channels, Z reference points per pillar, R cameras of the whole batch
that have an image, S image features of all levels together.
"""

from __future__ import annotations

import torch
from bev_ops.functional import bev_cross_attention
from torch import Tensor, nn

from bev.errors import InputError
from bev.models.attention.deformable import DeformableSampling, SpatialShapes, output_projection
from bev.models.attention.visibility import VisiblePillars


class SpatialCrossAttention(nn.Module):
    """Deformable attention of each query to the cameras that see its pillar, averaged over these cameras.

    A query reads all cameras that see its pillar with the same offsets and weights, which depend on the query alone.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        num_levels: Feature levels of each camera.
        num_points: Points per head and level, dealt out to a pillar's reference points in turn.
        num_pillar_points: Z.
        dropout: Probability of zeroing an output before it is added to the query.
        initial_step: As for `DeformableSampling`.
        height_focus: Initial logit by which head m favours the points of pillar point m % Z. At 0, as in the published
            models, each head starts with the mean over the pillar, which looks almost the same one cell nearer or
            further; with heads that start at different heights, distance shows from the first step.

    Raises:
        InputError: If the points can't be dealt out evenly.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 4,
        num_points: int = 8,
        num_pillar_points: int = 4,
        dropout: float = 0.1,
        initial_step: float = 1.0,
        height_focus: float = 0.0,
    ) -> None:
        super().__init__()
        if num_points % num_pillar_points:
            raise InputError(
                f"{num_points} sampling points can't be dealt out evenly to {num_pillar_points} pillar points; "
                "make the first a multiple of the second"
            )
        self.sampling = DeformableSampling(embed_dims, num_heads, num_levels, num_points, initial_step=initial_step)
        heads, points = torch.arange(num_heads)[:, None, None], torch.arange(num_points)
        favoured = (points % num_pillar_points == heads % num_pillar_points).expand(-1, num_levels, -1)
        self.sampling.attention_weights.bias.data.add_(height_focus * favoured.flatten())
        self.output_proj = output_projection(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query: Tensor, features: Tensor, spatial_shapes: SpatialShapes, seen: VisiblePillars) -> Tensor:
        """Return the queries plus what they read.

        Args:
            query: (B, Q, C).
            features: (R, S, C) of the cameras `seen.cameras`, levels one after the other, rows first.
            spatial_shapes: Height and width of each level.
            seen: What each camera sees.

        Returns:
            (B, Q, C).
        """
        read = bev_cross_attention(
            self.sampling.project_values(features),
            spatial_shapes,
            seen.splits,
            seen.reference_points,
            seen.visible,
            self.sampling.offsets(query),
            self.sampling.weights(query),
        )
        return query + self.dropout(self.output_proj(read))
