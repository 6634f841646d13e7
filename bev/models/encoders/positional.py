"""Positional encodings of BEV grids and of images.

Shapes: H, W rows and columns of the grid or feature map, Q = H * W cells, C channels, B batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.grid import BEVGrid


class LearnedPositionalEncoding(nn.Module):
    """One embedding per column and one per row, half the channels each.

    Args:
        grid_shape: (H, W).
        embed_dims: C, even.
        init: "normal", with standard deviation 1, or "uniform", from 0 to 1.

    Raises:
        InputError: If `init` is unknown.
    """

    def __init__(self, grid_shape: tuple[int, int], embed_dims: int = 256, init: str = "normal") -> None:
        super().__init__()
        if init not in ("normal", "uniform"):
            raise InputError(f"positional encodings start 'normal' or 'uniform', not {init!r}")
        height, width = grid_shape
        self.row_embed = nn.Embedding(height, embed_dims // 2)
        self.col_embed = nn.Embedding(width, embed_dims // 2)
        draw = nn.init.normal_ if init == "normal" else nn.init.uniform_
        draw(self.row_embed.weight)
        draw(self.col_embed.weight)

    def forward(self) -> Tensor:
        """Return (Q, C), row by row: channels of the column, then of the row."""
        rows, columns = self.row_embed.weight, self.col_embed.weight
        shape = (len(rows), len(columns), -1)
        grid = torch.cat([columns[None].expand(shape), rows[:, None].expand(shape)], dim=-1)
        return grid.flatten(0, 1)


def polar_codes(grid: BEVGrid, dims: int) -> Tensor:
    """Codes of the cells' polar coordinates about the origin of the bev frame, alike for cells near each other.

    Half of the numbers are cosines of the log distance, in which depth errors of cameras are about constant, with up to
    `dims / 2` half waves over the grid; the others are sines and cosines of multiples of the direction.

    Returns:
        (Q, dims), row by row, each number with mean square about 1.
    """
    x, y = grid.cell_centres().flatten(0, 1).double().unbind(-1)
    distance = torch.log1p(torch.hypot(x, y))
    radial = torch.arange(1, dims // 2 + 1) * math.pi * (distance / distance.max())[:, None]
    angles = torch.arange(1, (dims - dims // 2 + 1) // 2 + 1) * torch.atan2(y, x)[:, None]
    codes = torch.cat([radial.cos(), angles.sin(), angles.cos()], dim=1)[:, :dims]
    return math.sqrt(2) * codes.float()


def sine_codes(padding: Tensor, dims: int, temperature: float = 10000.0) -> Tensor:
    """Sines and cosines of the place in an image, half of the channels for y and half for x (DETR, arXiv 2005.12872).

    Places count from 0 to 2 pi over what is not padding, at the centres of the cells.

    Args:
        padding: (B, H, W) bool, True where a cell covers padding.
        dims: C, a multiple of 4.
        temperature: Ratio of the longest to the shortest wave.

    Returns:
        (B, Q, C) float32, row by row.
    """
    frequencies = temperature ** (-torch.arange(0, dims // 2, 2, device=padding.device) / (dims / 2))
    halves = []
    for axis in (1, 2):
        places = (~padding).cumsum(axis, dtype=torch.float32)
        last = places.narrow(axis, places.shape[axis] - 1, 1)
        phases = ((places - 0.5) / (last + 1e-6) * (2 * math.pi))[..., None] * frequencies
        halves.append(torch.stack([phases.sin(), phases.cos()], dim=-1).flatten(-2))
    return torch.cat(halves, dim=-1).flatten(1, 2)
