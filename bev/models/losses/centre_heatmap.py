"""Heatmaps of object centres: their Gaussian targets and the loss on them.

References: CornerNet (arXiv 1808.01244), CenterPoint (arXiv 2006.11275).

Shapes: M objects, K classes, P maps of H x W cells, E entries (a cell in the neighbourhood of an object's centre).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class CentrePatches:
    """The cells around each object's centre, one entry per pair of object and cell.

    Attributes:
        objects: (E,) int64, index of the object.
        cells: (E,) int64, index of the cell in the flattened maps: (map * H + row) * W + column.
        weights: (E,) float32, Gaussian of the distance to the centre's cell: 1 there.
    """

    objects: Tensor
    cells: Tensor
    weights: Tensor

    def owned(self, rank: Tensor) -> CentrePatches:
        """Keeps one entry per cell, the one with the lowest `rank` (E,); equal ranks go to the lower object index."""
        order = torch.argsort(rank, stable=True)
        order = order[torch.argsort(self.cells[order], stable=True)]
        cells = self.cells[order]
        first = torch.ones_like(cells, dtype=torch.bool)
        first[1:] = cells[1:] != cells[:-1]
        kept = order[first]
        return CentrePatches(self.objects[kept], self.cells[kept], self.weights[kept])


def centre_patches(centres: Tensor, maps: Tensor, shape: tuple[int, int], radius: int) -> CentrePatches:
    """Square neighbourhoods of the objects' centres, cut at the border of the map.

    Args:
        centres: (M, 2) continuous column and row; objects whose centre is off the map get no entry.
        maps: (M,) int64, the map that each object belongs to.
        shape: (H, W).
        radius: Cells on each side of the centre's cell. The Gaussian's standard deviation is (2 radius + 1) / 6 cells.
    """
    height, width = shape
    device = centres.device
    steps = torch.arange(-radius, radius + 1, device=device)
    step_row, step_column = (step.flatten() for step in torch.meshgrid(steps, steps, indexing="ij"))
    column, row = centres.floor().long().unbind(-1)
    on_map = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    columns, rows = column[:, None] + step_column, row[:, None] + step_row
    inside = on_map[:, None] & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    sigma = (2 * radius + 1) / 6
    gaussian = torch.exp(-(step_row**2 + step_column**2) / (2 * sigma**2)).expand(len(centres), -1)
    objects = torch.arange(len(centres), device=device)[:, None].expand_as(inside)
    cells = (maps[:, None] * height + rows) * width + columns
    return CentrePatches(objects[inside], cells[inside], gaussian[inside])


def mark_cells(places: Tensor, maps: Tensor, maps_shape: tuple[int, int, int]) -> Tensor:
    """Which cells hold a point: (P, H, W) bool.

    Args:
        places: (M, 2) continuous column and row; points off the map mark nothing.
        maps: (M,) int64, the map that each point belongs to.
        maps_shape: (P, H, W).
    """
    marked = torch.zeros(maps_shape, dtype=torch.bool, device=places.device)
    marked.view(-1)[centre_patches(places, maps, maps_shape[1:], radius=0).cells] = True
    return marked


def draw_heatmap(patches: CentrePatches, labels: Tensor, num_classes: int, maps_shape: tuple[int, int, int]) -> Tensor:
    """Class heatmaps with a Gaussian at each centre; where two overlap, the larger value counts.

    Args:
        patches: Of M objects.
        labels: (M,) int64 in [0, K).
        num_classes: K.
        maps_shape: (P, H, W).

    Returns:
        (P, K, H, W) float32 in [0, 1], exactly 1 in the centres' cells.
    """
    num_maps, height, width = maps_shape
    heatmap = patches.weights.new_zeros(num_maps * num_classes * height * width)
    one_map = height * width
    in_map, map_index = patches.cells % one_map, patches.cells // one_map
    index = (map_index * num_classes + labels[patches.objects]) * one_map + in_map
    heatmap.scatter_reduce_(0, index, patches.weights, reduce="amax")
    return heatmap.view(num_maps, num_classes, height, width)


def gaussian_focal_loss(logits: Tensor, heatmap: Tensor) -> Tensor:
    """Focal loss that spares the cells beside a centre (CornerNet, equation 1, with alpha 2 and beta 4).

    Args:
        logits: (...) of any shape.
        heatmap: Of the same shape, in [0, 1]; cells that equal 1 are positives.

    Returns:
        Loss per cell, same shape. Divide its sum by the number of centres.
    """
    probability = logits.sigmoid()
    as_positive = (1 - probability) ** 2 * F.softplus(-logits)
    as_negative = (1 - heatmap) ** 4 * probability**2 * F.softplus(logits)
    return torch.where(heatmap == 1, as_positive, as_negative)
