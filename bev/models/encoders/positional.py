"""Learned positional encoding of a BEV grid.

Shapes: H, W rows and columns of the grid, Q = H * W cells, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
