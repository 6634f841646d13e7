"""Repeatable noise for textures: the same coordinates give the same value in every process."""

from __future__ import annotations

import math

import numpy as np

from bev.geometry.compiled import jit


@jit
def hash_cell(column: float, row: float, seed: float) -> float:
    """Pseudo-random number in [0, 1) of a cell (integer mixing after Wang's 32-bit hash).

    The arguments are whole numbers given as floats: numba would compile the function again for each integer literal.
    """
    value = np.uint32(int(column) * 374761393 + int(row) * 668265263 + int(seed) * 1274126177)
    value = np.uint32((value ^ (value >> np.uint32(13))) * np.uint32(1274126177))
    value = np.uint32((value ^ (value >> np.uint32(15))) * np.uint32(2246822519))
    value = value ^ (value >> np.uint32(16))
    return float(value) * (1.0 / 4294967296.0)


@jit
def value_noise(x: float, y: float, seed: float) -> float:
    """Smooth noise in [0, 1] with one independent value per unit square."""
    column, row = float(math.floor(x)), float(math.floor(y))
    across, down = x - column, y - row
    across = across * across * (3.0 - 2.0 * across)
    down = down * down * (3.0 - 2.0 * down)
    top = hash_cell(column, row, seed) * (1.0 - across) + hash_cell(column + 1.0, row, seed) * across
    bottom = hash_cell(column, row + 1.0, seed) * (1.0 - across) + hash_cell(column + 1.0, row + 1.0, seed) * across
    return top * (1.0 - down) + bottom * down
