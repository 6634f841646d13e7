"""The bird's-eye-view grid: bounds, resolution, and the arithmetic between cells and metres.

Rows run along y (row 0 at y_min) and columns along x (column 0 at x_min). Cell (row r, column c) spans [c, c + 1) x [r,
r + 1) in cell coordinates (column, row); its centre is (c + 0.5, r + 0.5). A flattened map has index row * width +
column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bev.errors import InputError
from bev.geometry.poses import Array


@dataclass(frozen=True)
class BEVGrid:
    """Part of the bev frame that a map covers, and its number of cells.

    Attributes:
        bounds: (x_min, y_min, z_min, x_max, y_max, z_max), metres.
        shape: (height, width) in cells, along y and along x.
    """

    bounds: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        bounds, shape = tuple(map(float, self.bounds)), tuple(map(int, self.shape))
        if len(bounds) != 6 or not np.isfinite(bounds).all() or any(np.array(bounds[:3]) >= np.array(bounds[3:])):
            raise InputError(f"BEVGrid bounds are x, y, z minima then larger x, y, z maxima, metres; found {bounds}")
        if len(shape) != 2 or min(shape) < 1:
            raise InputError(f"BEVGrid shape is (height, width) in cells, each at least 1; found {shape}")
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "shape", shape)

    @property
    def height(self) -> int:
        """Number of rows (along y)."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """Number of columns (along x)."""
        return self.shape[1]

    @property
    def extent(self) -> tuple[float, float, float]:
        """Size along x, y and z, metres."""
        low, high = self.bounds[:3], self.bounds[3:]
        return high[0] - low[0], high[1] - low[1], high[2] - low[2]

    @property
    def cell_size(self) -> tuple[float, float]:
        """Size of a cell along x and y, metres."""
        return self.extent[0] / self.width, self.extent[1] / self.height

    def cell_centres(self, device: torch.device | str | None = None) -> Tensor:
        """Centres of all cells: (height, width, 2) float32, x and y in metres."""
        rows = torch.arange(self.height, dtype=torch.float32, device=device) + 0.5
        columns = torch.arange(self.width, dtype=torch.float32, device=device) + 0.5
        row, column = torch.meshgrid(rows, columns, indexing="ij")
        return self.to_metres(torch.stack([column, row], dim=-1))

    def to_cells(self, xy: Array) -> Array:
        """Metres (..., 2), x and y, to continuous cell coordinates (..., 2), column and row."""
        return (xy - _like(self.bounds[:2], xy)) / _like(self.cell_size, xy)

    def to_metres(self, cells: Array) -> Array:
        """Continuous cell coordinates (..., 2), column and row, to metres (..., 2), x and y."""
        return cells * _like(self.cell_size, cells) + _like(self.bounds[:2], cells)

    def normalise(self, xyz: Array) -> Array:
        """Metres (..., 3) to fractions of the bounds (..., 3): 0 at the minima, 1 at the maxima."""
        return (xyz - _like(self.bounds[:3], xyz)) / _like(self.extent, xyz)

    def denormalise(self, fractions: Array) -> Array:
        """Fractions of the bounds (..., 3) to metres (..., 3)."""
        return fractions * _like(self.extent, fractions) + _like(self.bounds[:3], fractions)

    def contains(self, points: Array) -> Array:
        """Which points (..., 2) or (..., 3), metres, lie inside: minima included, maxima not. Returns (...) bool."""
        dimensions = points.shape[-1]
        low, high = _like(self.bounds[:dimensions], points), _like(self.bounds[3 : 3 + dimensions], points)
        inside = (points >= low) & (points < high)
        return inside.all(-1)

    def pillar_points(self, count: int, device: torch.device | str | None = None) -> Tensor:
        """3D reference points of every cell: `count` heights above each cell's centre (BEVFormer, section 3.3).

        The heights run from 0.5 m above z_min to 0.5 m below z_max in equal steps, as the published models have them; a
        single height is 0.5 m above z_min. They depend on metres, not on `count`, so trained weights keep their
        meaning.

        Returns:
            (count, height * width, 3) float32, metres.
        """
        z_min, depth = self.bounds[2], self.extent[2]
        heights = torch.linspace(0.5, depth - 0.5, count, device=device) + z_min
        centres = self.cell_centres(device).reshape(1, -1, 2).expand(count, -1, -1)
        return torch.cat([centres, heights.view(-1, 1, 1).expand(-1, centres.shape[1], 1)], dim=-1)


def _like(values: Sequence[float], reference: Array) -> Array:
    """`values` as an array or tensor that mixes with `reference` without changing its floating type."""
    if isinstance(reference, Tensor):
        dtype = reference.dtype if reference.is_floating_point() else torch.get_default_dtype()
        return torch.tensor(values, dtype=dtype, device=reference.device)
    dtype = reference.dtype if np.issubdtype(reference.dtype, np.floating) else np.float64
    return np.asarray(values, dtype=dtype)
