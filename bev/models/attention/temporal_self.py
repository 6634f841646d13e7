"""Temporal self-attention: BEV queries read the previous and the current BEV (BEVFormer, section 3.4).

Shapes: B batch, Q = H * W queries, C channels, H, W rows and columns of the BEV grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bev.models.attention.deformable import DeformableSampling, output_projection


@dataclass(frozen=True)
class TemporalQueue:
    """The two maps that temporal self-attention reads.

    Attributes:
        previous: (B, Q, C) map of the previous frame, turned into the current frame's axes.
        current: (B, Q, C) the queries that entered the encoder's first layer.
        shift: (B, 2) what is to be added to the place (x, y) of a current cell to find it in `previous`, in fractions
            of the grid.
        valid: (B,) bool, False for samples without a previous frame; they read their queries twice.
        shift_current: Whether both maps are read at the shifted place (see `RecurrentBEV`).
    """

    previous: Tensor
    current: Tensor
    shift: Tensor
    valid: Tensor
    shift_current: bool = False

    def maps(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Previous and current map (B, Q, C) each, for a layer's queries (B, Q, C)."""
        valid = self.valid[:, None, None]
        return torch.where(valid, self.previous, query), torch.where(valid, self.current, query)

    def reference_points(self, cell_centres: Tensor) -> Tensor:
        """Cell centres (1, Q, 1, 2) to reference points (B, Q, 2, 1, 2) in the previous and in the current map."""
        centres = cell_centres.expand(len(self.shift), -1, -1, -1)
        shifted = centres + self.shift[:, None, None]
        return torch.stack([shifted, shifted if self.shift_current else centres], dim=2)


class TemporalSelfAttention(nn.Module):
    """Deformable attention over a queue of two BEV maps, previous and current, whose readings are averaged.

    The two maps are treated as two levels of one shape, each with a softmax of its own. Without a previous map (the
    first frame of a scene, and always in BEVFormer v2) both are the current queries.

    Args:
        embed_dims: C.
        num_heads: Attention heads.
        num_points: Points per head and map.
        dropout: Probability of zeroing an output before it is added to the query.
        value_projections: How often the values go through their projection: twice in the published lane models, whose
            code repeats the line.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_points: int = 4,
        dropout: float = 0.1,
        value_projections: int = 1,
    ) -> None:
        super().__init__()
        self.value_projections = value_projections
        self.sampling = DeformableSampling(
            embed_dims,
            num_heads,
            num_levels=2,
            num_points=num_points,
            query_dims=2 * embed_dims,
            softmax_per_level=True,
        )
        self.output_proj = output_projection(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        reference_points: Tensor,
        grid_shape: tuple[int, int],
        queue: TemporalQueue | None = None,
    ) -> Tensor:
        """Return the queries plus what they read.

        Args:
            query: (B, Q, C), row by row.
            position: (Q, C) positional encoding.
            reference_points: (1, Q, 1, 2) x and y of each cell's centre in fractions of the grid.
            grid_shape: (H, W).
            queue: Previous and current BEV map; None where no sample has a previous one.

        Returns:
            (B, Q, C).
        """
        previous, current = (query, query) if queue is None else queue.maps(query)
        conditioned = torch.cat([previous, query + position], dim=-1)
        if queue is None:
            values = self._project_values(query).repeat(1, 2, 1, 1)
        else:
            values = self._project_values(torch.cat([previous, current], dim=1))
            reference_points = queue.reference_points(reference_points)
        read = self.sampling(conditioned, values, reference_points, (grid_shape, grid_shape))
        return query + self.dropout(self.output_proj(read))

    def _project_values(self, values: Tensor) -> Tensor:
        """Values (B, S, C) to (B, S, heads, C / heads)."""
        for _ in range(self.value_projections - 1):
            values = self.sampling.value_proj(values)
        return self.sampling.project_values(values)
