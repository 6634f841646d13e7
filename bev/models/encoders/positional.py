"""Positional encodings of a BEV grid.

Shapes: H, W rows and columns of the grid, Q = H * W cells, C channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bev.geometry.grid import BEVGrid


class LearnedPositionalEncoding(nn.Module):
    """One embedding per column and one per row, half the channels each.

    Args:
        grid_shape: (H, W).
        embed_dims: C, even.
    """

    def __init__(self, grid_shape: tuple[int, int], embed_dims: int = 256) -> None:
        super().__init__()
        height, width = grid_shape
        self.row_embed = nn.Embedding(height, embed_dims // 2)
        self.col_embed = nn.Embedding(width, embed_dims // 2)
        nn.init.uniform_(self.row_embed.weight)
        nn.init.uniform_(self.col_embed.weight)

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
