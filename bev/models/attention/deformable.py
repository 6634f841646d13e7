"""Deformable attention: every query reads a few learned places around its reference points.

The one implementation behind temporal self-attention, spatial cross-attention and the decoder's cross-attention
(Deformable DETR, section 4.1; BEVFormer, equations 2, 3 and 5).

Shapes: B batch, Q queries, C channels, S values of all levels together, M heads, L levels, P points per head and level,
Z reference points per query.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from bev_ops.functional import ms_deform_attn
from bev_ops.modules import Linear
from torch import Tensor, nn

from bev.errors import InputError

SpatialShapes = Sequence[tuple[int, int]]


class DeformableSampling(nn.Module):
    """Projects values, predicts where each query reads and with which weights, and reads.

    With Z reference points per query, the P points of a head and level are dealt out to them in turn: point p belongs
    to reference point p % Z (BEVFormer's pillars).

    Args:
        embed_dims: C, channels of the values and of the output.
        num_heads: M.
        num_levels: L.
        num_points: P, over all reference points of a query.
        query_dims: Channels of the queries; `embed_dims` where None.
        softmax_per_level: Normalise the weights within each level, and average the levels. Otherwise one softmax spans
            all levels.
        initial_step: Initial distance between the points of a head, in cells: 1 in the published models. On maps of few
            cells the outer points then start far off their reference point; smaller steps keep them on the object.

    Raises:
        InputError: If the channels don't divide into the heads.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 1,
        num_points: int = 4,
        query_dims: int | None = None,
        softmax_per_level: bool = False,
        initial_step: float = 1.0,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise InputError(f"embed_dims {embed_dims} is not a multiple of num_heads {num_heads}")
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        self.softmax_per_level, self.initial_step = softmax_per_level, initial_step
        query_dims = query_dims or embed_dims
        self.sampling_offsets = Linear(query_dims, num_heads * num_levels * num_points * 2)
        self.attention_weights = Linear(query_dims, num_heads * num_levels * num_points)
        self.value_proj = Linear(embed_dims, embed_dims)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Offsets that point outwards, one direction per head and one cell further per point; uniform weights."""
        angles = torch.arange(self.num_heads, dtype=torch.float32) * (2 * math.pi / self.num_heads)
        directions = torch.stack([angles.cos(), angles.sin()], -1)
        directions = directions / directions.abs().amax(-1, keepdim=True)
        steps = self.initial_step * torch.arange(1, self.num_points + 1, dtype=torch.float32)
        offsets = directions[:, None, None, :] * steps[:, None]
        nn.init.zeros_(self.sampling_offsets.weight)
        self.sampling_offsets.bias.copy_(offsets.expand(-1, self.num_levels, -1, -1).reshape(-1))
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        nn.init.xavier_uniform_(self.value_proj.weight)
        nn.init.zeros_(self.value_proj.bias)

    def project_values(self, values: Tensor) -> Tensor:
        """Project values (B, S, C) and split them into heads: (B, S, M, C / M)."""
        return self.value_proj(values).unflatten(-1, (self.num_heads, -1))

    def forward(
        self,
        query: Tensor,
        values: Tensor,
        reference_points: Tensor,
        spatial_shapes: SpatialShapes,
        extents: Tensor | None = None,
    ) -> Tensor:
        """Read the values around each query's reference points.

        Args:
            query: (B, Q, query_dims).
            values: (B, S, M, C / M) as `project_values` returns them, levels one after the other, rows first.
            reference_points: (B, Q, Z, 2) x and y, 0 at the left or top edge of every level and 1 at the other edge;
                B may be 1 for points that all samples share. (B, Q, L, Z, 2) where the levels have points of their own.
            spatial_shapes: Height and width of each level; their products add up to S.
            extents: (B, Q, L, 2) width and height of a box around each reference point, in fractions of the level. The
                offsets then count in these boxes, so that the outermost of the initial points are on their borders
                (Deformable DETR, appendix A.4); None for offsets in cells.

        Returns:
            (B, Q, C).

        Raises:
            InputError: The points of a head cannot be dealt out evenly.
        """
        places = reference_points.shape[-2]
        if self.num_points % places:
            raise InputError(f"num_points {self.num_points} is no multiple of the {places} places that a query reads")
        steps = self.offsets(query).unflatten(4, (-1, places))
        if extents is None:
            sizes = [(width, height) for height, width in spatial_shapes]
            cells = torch.tensor(sizes, dtype=reference_points.dtype, device=query.device)
            steps = steps / cells[:, None, None, :]
        else:
            steps = steps * (extents / (2 * self.num_points))[:, :, None, :, None, None]
        per_level = reference_points if reference_points.dim() == 5 else reference_points[:, :, None]
        locations = (per_level[:, :, None, :, None] + steps).flatten(4, 5)
        return ms_deform_attn(values, spatial_shapes, locations, self.weights(query))

    def offsets(self, query: Tensor) -> Tensor:
        """How far from its reference point each query (B, Q, query_dims) reads: (B, Q, M, L, P, 2)."""
        return self.sampling_offsets(query).unflatten(-1, (self.num_heads, self.num_levels, self.num_points, 2))

    def weights(self, query: Tensor) -> Tensor:
        """How much each read of a query (B, Q, query_dims) counts: (B, Q, M, L, P), adding up to 1 over L and P."""
        scores = self.attention_weights(query).unflatten(-1, (self.num_heads, self.num_levels, self.num_points))
        if self.softmax_per_level:
            return scores.softmax(-1) / self.num_levels
        return scores.flatten(-2).softmax(-1).view_as(scores)


class DeformableAttention(nn.Module):
    """Deformable cross-attention with output projection, dropout and residual, as in the detection decoder.

    Args:
        embed_dims: C.
        num_heads: M.
        num_levels: L.
        num_points: P.
        dropout: Probability of zeroing an output before it is added to the query.
        initial_step: As for `DeformableSampling`.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 1,
        num_points: int = 4,
        dropout: float = 0.1,
        initial_step: float = 1.0,
    ) -> None:
        super().__init__()
        self.sampling = DeformableSampling(embed_dims, num_heads, num_levels, num_points, initial_step=initial_step)
        self.output_proj = output_projection(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        query: Tensor,
        values: Tensor,
        reference_points: Tensor,
        spatial_shapes: SpatialShapes,
        query_position: Tensor | None = None,
        extents: Tensor | None = None,
        padding: Tensor | None = None,
    ) -> Tensor:
        """Return the queries plus what they read.

        Args:
            query: (B, Q, C).
            values: (B, S, C), levels one after the other, rows first; a BEV map is one level of (H, W).
            reference_points: (B, Q, 2) x and y in fractions of the map, 0 at the left or top edge; (B, Q, L, 2) where
                the levels have places of their own, (B, Q, L, Z, 2) where a query reads around several.
            spatial_shapes: Height and width of each level.
            query_position: (B, Q, C) or (Q, C), added to the query where it decides what to read.
            extents: As for `DeformableSampling`.
            padding: (B, S) bool, True for values that are read as zero.

        Returns:
            (B, Q, C).
        """
        placed = query if query_position is None else query + query_position
        projected = self.sampling.project_values(values)
        if padding is not None:
            projected = projected.masked_fill(padding[..., None, None], 0.0)
        points = reference_points if reference_points.dim() == 5 else reference_points.unsqueeze(-2)
        read = self.sampling(placed, projected, points, spatial_shapes, extents)
        return query + self.dropout(self.output_proj(read))


def output_projection(embed_dims: int) -> nn.Linear:
    """Linear layer on what was read, initialised as in Deformable DETR."""
    layer = Linear(embed_dims, embed_dims)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
