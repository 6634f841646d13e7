"""Targets of the BEV heatmap: class heatmaps and, in the cells around each centre, the object's box.

Shapes: B batch, M objects of a sample, K classes, H, W rows and columns of the BEV map, E cells that belong to an
object.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bev.geometry.grid import BEVGrid
from bev.models.assigners import SetTarget
from bev.models.losses import centre_patches, draw_heatmap


@dataclass(frozen=True)
class HeatmapTargets:
    """What the dense head should say.

    Attributes:
        heatmap: (B, K, H, W) float32.
        num_objects: Objects whose centre is on the map, over the batch.
        cells: (E,) int64, cells with a box: index into the flattened (B, H, W).
        codes: (E, 10), box code relative to the cell, as `local_codes` makes it; an unknown velocity is NaN.
        weights: (E,), 1 in a centre's cell and less around it.
    """

    heatmap: Tensor
    num_objects: int
    cells: Tensor
    codes: Tensor
    weights: Tensor


def heatmap_targets(targets: list[SetTarget], grid: BEVGrid, num_classes: int, radius: int) -> HeatmapTargets:
    """Draws the targets of a batch. A cell near several centres learns the box of the nearest."""
    codes = torch.cat([target.codes for target in targets])
    labels = torch.cat([target.labels for target in targets])
    counts = torch.tensor([len(target.labels) for target in targets], device=labels.device)
    sample = torch.repeat_interleave(torch.arange(len(targets), device=labels.device), counts)
    patches = centre_patches(grid.to_cells(codes[:, :2]), sample, grid.shape, radius)
    owned = patches.owned(rank=-patches.weights)
    return HeatmapTargets(
        heatmap=draw_heatmap(patches, labels, num_classes, (len(targets), *grid.shape)),
        num_objects=int((patches.weights == 1).sum()),
        cells=owned.cells,
        codes=local_codes(codes[owned.objects], owned.cells % (grid.height * grid.width), grid),
        weights=owned.weights,
    )


def local_codes(codes: Tensor, cells: Tensor, grid: BEVGrid) -> Tensor:
    """Box codes (..., 10) with x and y, metres, replaced by cells from the centres of the flattened cells (...)."""
    offset = grid.to_cells(codes[..., :2]) - _cell_centres(cells, grid, codes.dtype)
    return torch.cat([offset, codes[..., 2:]], dim=-1)


def absolute_codes(codes: Tensor, cells: Tensor, grid: BEVGrid) -> Tensor:
    """The inverse of `local_codes`: box codes (..., 10) in metres."""
    centre = grid.to_metres(_cell_centres(cells, grid, codes.dtype) + codes[..., :2])
    return torch.cat([centre, codes[..., 2:]], dim=-1)


def _cell_centres(cells: Tensor, grid: BEVGrid, dtype: torch.dtype) -> Tensor:
    """Column and row (..., 2) of the centres of flattened cells (...)."""
    return torch.stack([cells % grid.width, cells // grid.width], dim=-1).to(dtype) + 0.5
