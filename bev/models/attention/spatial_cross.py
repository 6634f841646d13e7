"""Spatial cross-attention: BEV queries read the images of the cameras that see them (BEVFormer, section 3.3).

Shapes: B batch, N cameras, Q = H * W queries, C channels, Z reference points per pillar, R cameras of the whole batch
that have an image, K most pillars that any of them sees, S image features of all levels together.
"""

from __future__ import annotations

from torch import Tensor, nn

from bev.models.attention.deformable import DeformableSampling, SpatialShapes, output_projection
from bev.models.attention.visibility import VisiblePillars


class SpatialCrossAttention(nn.Module):
    """Deformable attention of each query to the cameras that see its pillar, averaged over these cameras.

    Each camera is given only the queries whose pillars it sees (per sample and camera).

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        num_levels: Feature levels of each camera.
        num_points: Points per head and level, dealt out to a pillar's reference points in turn.
        num_pillar_points: Z.
        dropout: Probability of zeroing an output before it is added to the query.

    Raises:
        ValueError: If the points can't be dealt out evenly.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 4,
        num_points: int = 8,
        num_pillar_points: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if num_points % num_pillar_points:
            raise ValueError(
                f"{num_points} sampling points can't be dealt out evenly to {num_pillar_points} pillar points; "
                "make the first a multiple of the second"
            )
        self.sampling = DeformableSampling(embed_dims, num_heads, num_levels, num_points)
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
        flat = query.flatten(0, 1)
        asked = flat.index_select(0, seen.pillars.flatten()).view(*seen.pillars.shape, -1)
        values = self.sampling.project_values(features)
        read = self.sampling(asked, values, seen.reference_points, spatial_shapes).flatten(0, 1)
        answered = seen.pillars.flatten()[seen.filled]
        total = read.new_zeros(flat.shape).index_add(0, answered, read.index_select(0, seen.filled))
        mean = total.view_as(query) / seen.num_cameras
        return query + self.dropout(self.output_proj(mean))
