"""What a query's position embedding is computed from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FREQUENCIES = 8  # 2^0 .. 2^7 half waves over the grid, down to under a cell


class PlaceEncoding(nn.Sequential):
    """Sines and cosines of a place, and two linear layers on them.

    Args:
        num_coordinates: N, such as 3 for a point and 6 for two.
        channels: C.
    """

    def __init__(self, num_coordinates: int, channels: int) -> None:
        waves = 2 * FREQUENCIES * num_coordinates
        super().__init__(nn.Linear(waves, channels), nn.ReLU(inplace=True), nn.Linear(channels, channels))

    def forward(self, place: Tensor) -> Tensor:
        """Fractions (..., N) of the grid's bounds to (..., C)."""
        return super().forward(encode_place(place))


def encode_place(place: Tensor) -> Tensor:
    """Sines and cosines of fractions (..., N): (..., 2 * FREQUENCIES * N)."""
    waves = math.pi * 2 ** torch.arange(FREQUENCIES, dtype=place.dtype, device=place.device)
    phases = place[..., None] * waves
    return torch.cat([phases.sin(), phases.cos()], dim=-1).flatten(-2)
