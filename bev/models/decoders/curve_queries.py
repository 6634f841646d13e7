"""Queries that start from the lanes which a dense head proposes on the BEV map.

What `HeatmapQueries` does for boxes: learned queries have to discover over many epochs where lanes run; a dense head
says from the first steps where lanes have their middle, and the decoder refines whole curves. Lanes that cross or part
share their middle, but not their heading, so that headings are the heatmap's classes. Middles are few; what teaches the
map from the first step is a second output of the dense head, the cells that lanes pass and their heading there.

Shapes: B batch, Q queries, C channels, K headings, N control points, D = 3 N numbers of a curve's code, M lanes of a
sample, H, W rows and columns of the BEV map, E cells that belong to a lane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.curves import CurveCode, headings_of
from bev.geometry.grid import BEVGrid
from bev.models.assigners import SetTarget
from bev.models.decoders.dense_proposals import best_peaks, dense_branch
from bev.models.decoders.place_encoding import PlaceEncoding
from bev.models.decoders.queries import Queries
from bev.models.losses import (
    PRIOR_LOGIT,
    FocalLoss,
    centre_patches,
    draw_heatmap,
    gaussian_focal_loss,
    mark_cells,
    mean_over_ranks,
)
from bev.structures import BEVFeatures

UNIT = 10.0
"""Metres that the dense head counts control points in: about half a lane, so that what it regresses is near 1."""

BORDER = 0.005
"""References keep this distance from the border of the grid, in fractions of it: at 0 and 1 logits are infinite."""


@dataclass
class DenseCurves:
    """Dense outputs.

    Attributes:
        logits: (B, K, H, W), middles of lanes by heading.
        passed: (B, K, H, W), logits that a lane of this heading passes the cell.
        codes: (B, K, D, H, W), the lane of that heading at this cell: x and y of control points from the cell's centre,
            and z from 0, metres.
        grid: Bounds and shape of the map.
    """

    logits: Tensor
    passed: Tensor
    codes: Tensor
    grid: BEVGrid


@dataclass(frozen=True)
class CurveTargets:
    """What the dense head should say.

    Attributes:
        heatmap: (B, K, H, W) float32.
        passed: (B, K, H, W) bool.
        cells: (E,) int64 index into the flattened (B, K, H, W) of cells that learn a lane.
        codes: (E, D) as in `DenseCurves`.
        weights: (E,), 1 in the cell of a lane's middle and less around it.
    """

    heatmap: Tensor
    passed: Tensor
    cells: Tensor
    codes: Tensor
    weights: Tensor


@MODELS.register_module()
class CurveQueries(nn.Module):
    """Queries at the peaks over (heading, cell), with the lane that the dense head regresses there.

    A query's content is the BEV feature of its cell plus an embedding of its heading; its position encodes both ends of
    the lane. Its reference is the whole curve, so that the decoder reads along the lane (after LaneSegNet's attention,
    arXiv 2312.16108, section 3.3). The peak's score is a prior that the decoder's layers correct.

    Args:
        embed_dims: C.
        num_queries: Q.
        code: Arguments of `CurveCode`, the same as of the lane detector.
        num_headings: K, directions from a lane's start to its end.
        dilations: Of the 3 x 3 convolutions before the dense branches, in cells; where a lane has its middle depends on
            its far ends.
        neighbour_penalty: What a cell that is no local maximum among its eight neighbours loses of its logit.
        gaussian_radius: Cells around a lane's middle that the heatmap spares and that learn the lane.
        heatmap_weight: Factor of the heatmap's loss.
        curve_weight: Factor of the regression's loss, a mean over the numbers of the code in metres.
        passed_weight: Factor of the loss of the cells that lanes pass.
    """

    def __init__(
        self,
        embed_dims: int,
        num_queries: int,
        code: Mapping[str, Any] | None = None,
        num_headings: int = 8,
        dilations: Sequence[int] = (1, 2, 4),
        neighbour_penalty: float = 2.0,
        gaussian_radius: int = 2,
        heatmap_weight: float = 1.0,
        curve_weight: float = 1.0,
        passed_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_queries, self.num_headings, self.code = num_queries, num_headings, CurveCode(**(code or {}))
        self.neighbour_penalty, self.gaussian_radius = neighbour_penalty, gaussian_radius
        self.heatmap_weight, self.curve_weight = heatmap_weight, curve_weight
        self.passed_loss = FocalLoss(weight=passed_weight)
        self.context = nn.ModuleList(_context_layer(embed_dims, dilation) for dilation in dilations)
        self.heatmap_branch = dense_branch(embed_dims, num_headings, bias=PRIOR_LOGIT)
        self.passed_branch = dense_branch(embed_dims, num_headings, bias=PRIOR_LOGIT)
        self.curve_branch = dense_branch(embed_dims, num_headings * self.code.size, bias=0.0)
        with torch.no_grad():
            bias = cast(Tensor, self.curve_branch[-1].bias)
            bias.copy_(_straight_lanes(num_headings, self.code.num_control).flatten())
        self.content = nn.Linear(embed_dims, embed_dims)
        self.heading_embedding = nn.Embedding(num_headings, embed_dims)
        self.position = PlaceEncoding(2 * 3, embed_dims)  # both ends

    def forward(self, features: BEVFeatures) -> Queries:
        """Finds the peaks; references (B, Q, D) are control points in fractions of the grid.

        Args:
            features: Map (B, C, H, W) in the frame of the ground truth.

        Raises:
            InputError: The map has fewer (heading, cell) pairs than there are queries.
        """
        context = features.map
        for layer in self.context:
            context = context + layer(context)
        codes = UNIT * self.curve_branch(context).unflatten(1, (self.num_headings, -1))
        middles, passed = self.heatmap_branch(context), self.passed_branch(context)
        dense = DenseCurves(middles, passed, codes, features.grid)
        scores, cells, headings = best_peaks(dense.logits.float(), self.num_queries, self.neighbour_penalty)
        reference = _references(dense, cells, headings)
        found = context.flatten(2).gather(2, cells[:, None].expand(-1, context.shape[1], -1)).transpose(1, 2)
        return Queries(
            content=self.content(found) + self.heading_embedding(headings),
            position=self.position(torch.cat([reference[..., :3], reference[..., -3:]], dim=-1)),
            reference=reference,
            num_groups=1,
            class_prior=scores[..., None] - PRIOR_LOGIT,
            dense=dense,
        )

    def loss(self, queries: Queries, targets: list[SetTarget]) -> dict[str, Tensor]:
        """Gaussian focal loss of the middles, L1 loss of the curves around them, focal loss of the cells passed.

        Args:
            queries: As `forward` gives them.
            targets: B of them: codes (M, D) in metres in the map's bev frame.

        Returns:
            `loss_heatmap`, per lane, `loss_proposal`, a mean, and `loss_passed`, per cell that a lane passes.

        Raises:
            InputError: The queries come from another initialisation.
        """
        dense = queries.dense
        if not isinstance(dense, DenseCurves):
            raise InputError("these queries have no dense curves: they were not made by CurveQueries")
        target = curve_targets(targets, self.code, dense.grid, self.num_headings, self.gaussian_radius)
        per_cell = gaussian_focal_loss(dense.logits.float(), target.heatmap)
        codes = dense.codes.float().permute(0, 1, 3, 4, 2).flatten(0, 3)[target.cells]
        distance = (codes - target.codes).abs().mean(-1) * target.weights
        middles = mean_over_ranks((target.weights == 1).sum(), per_cell.device)
        passed = self.passed_loss(dense.passed.float(), target.passed).sum()
        return {
            "loss_heatmap": self.heatmap_weight * per_cell.sum() / middles,
            "loss_proposal": self.curve_weight * distance.sum() / mean_over_ranks(target.weights.sum()),
            "loss_passed": passed / mean_over_ranks(target.passed.sum()),
        }


def curve_targets(
    targets: Sequence[SetTarget], code: CurveCode, grid: BEVGrid, num_headings: int, radius: int
) -> CurveTargets:
    """Draws the targets of a batch. A cell near several middles of one heading learns the nearest lane.

    Args:
        targets: B of them: codes (M, D) in metres.
        code: How they describe lanes.
        grid: Of the map.
        num_headings: K.
        radius: Cells around a middle.
    """
    codes = torch.cat([target.codes for target in targets])
    counts = torch.tensor([len(target.codes) for target in targets], device=codes.device)
    sample = torch.repeat_interleave(torch.arange(len(targets), device=codes.device), counts)
    control = codes.unflatten(-1, (-1, 3))
    middle, first_map = control[:, [0, -1], :2].mean(1), sample * num_headings
    headings = headings_of(control[:, -1] - control[:, 0], num_headings)
    patches = centre_patches(grid.to_cells(middle), first_map + headings, grid.shape, radius)
    owned = patches.owned(rank=-patches.weights)
    maps, num_maps = (len(targets), num_headings, *grid.shape), len(targets) * num_headings
    heatmap = draw_heatmap(patches, torch.zeros_like(sample), 1, (num_maps, *grid.shape)).view(maps)
    passed = _cells_passed(codes, code, first_map, num_maps, grid, num_headings).view(maps)
    centres = grid.cell_centres(codes.device).flatten(0, 1)[owned.cells % (grid.height * grid.width)]
    local = control[owned.objects].clone()
    local[..., :2] -= centres[:, None]
    return CurveTargets(heatmap, passed, owned.cells, local.flatten(-2), owned.weights)


def _cells_passed(
    codes: Tensor, code: CurveCode, first_map: Tensor, num_maps: int, grid: BEVGrid, num_headings: int
) -> Tensor:
    """Which cells lanes pass, by heading: (B * K, H, W) bool.

    Args:
        codes: (M, D), metres.
        code: How they describe lanes.
        first_map: (M,) int64 number of the sample's first map among the B * K.
        num_maps: B * K.
        grid: Of the maps.
        num_headings: K.
    """
    # A lane from one corner of the grid to the other has about a point per cell.
    points = replace(code, num_points=sum(grid.shape) + 1).decode(codes)
    maps = first_map[:, None] + headings_of(points.diff(dim=1), num_headings)
    places = grid.to_cells((points[:, 1:] + points[:, :-1])[..., :2] / 2)
    return mark_cells(places.flatten(0, 1), maps.flatten(), (num_maps, *grid.shape))


@torch.no_grad()
def _references(dense: DenseCurves, cells: Tensor, headings: Tensor) -> Tensor:
    """Control points (B, Q, D) of the lanes at cells and headings (B, Q), in fractions of the grid, inside of it."""
    codes = dense.codes.float().flatten(3)
    batch = torch.arange(len(codes), device=codes.device)[:, None]
    control = codes[batch, headings, :, cells].unflatten(-1, (-1, 3)).clone()
    control[..., :2] += dense.grid.cell_centres(codes.device).flatten(0, 1)[cells][:, :, None]
    return dense.grid.normalise(control).clamp(BORDER, 1 - BORDER).flatten(-2)


def _straight_lanes(num_headings: int, num_control: int) -> Tensor:
    """A straight lane of two units in each heading around its middle: (K, N, 3)."""
    angles = torch.arange(num_headings) * (2 * math.pi / num_headings)
    directions = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], dim=-1)
    return torch.linspace(-1, 1, num_control)[:, None] * directions[:, None]


def _context_layer(channels: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel_size=3, padding=dilation, dilation=dilation),
        nn.GroupNorm(math.gcd(channels, 8), channels),
        nn.ReLU(inplace=True),
    )
