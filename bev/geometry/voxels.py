"""Voxel grids: bounds, resolution, and the arithmetic between voxels and metres.

Shapes: X, Y, Z voxels along x, y and z; in voxel coordinates, voxel (i, j, k) spans [i, i + 1) x [j, j + 1) x
[k, k + 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.errors import InputError


@dataclass(frozen=True)
class VoxelGrid:
    """Part of the bev frame that voxels cover, and their number.

    Attributes:
        bounds: (x_min, y_min, z_min, x_max, y_max, z_max), metres.
        shape: (X, Y, Z).
    """

    bounds: tuple[float, float, float, float, float, float]
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Refuse grids without extent.

        Raises:
            InputError: If a maximum is not above its minimum, or a number of voxels is not positive.
        """
        if len(self.bounds) != 6 or not all(low < high for low, high in zip(self.low, self.bounds[3:], strict=True)):
            raise InputError(f"bounds must be three minima below three maxima, not {self.bounds}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"shape must be three positive numbers of voxels, not {self.shape}")

    @property
    def low(self) -> tuple[float, float, float]:
        """Minima of x, y and z, metres."""
        return self.bounds[:3]

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Size of a voxel along x, y and z, metres."""
        x, y, z = ((high - low) / count for low, high, count in zip(self.low, self.bounds[3:], self.shape, strict=True))
        return x, y, z

    def to_voxels(self, points: np.ndarray) -> np.ndarray:
        """Metres (..., 3) to continuous voxel coordinates (..., 3) float64."""
        return (np.asarray(points, dtype=np.float64) - self.low) / self.voxel_size

    def to_metres(self, voxels: np.ndarray) -> np.ndarray:
        """Continuous voxel coordinates (..., 3) to metres (..., 3) float64."""
        return np.asarray(voxels, dtype=np.float64) * self.voxel_size + self.low

    def centres(self) -> np.ndarray:
        """Centres of all voxels: (X, Y, Z, 3) float64, metres."""
        axes = [np.arange(count) + 0.5 for count in self.shape]
        return self.to_metres(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))

    def indices(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Voxels that hold points (..., 3) in metres.

        Returns:
            (..., 3) int64, clipped to the grid, and (...) bool: which points lie inside the grid.
        """
        index = np.floor(self.to_voxels(points)).astype(np.int64)
        inside = ((index >= 0) & (index < self.shape)).all(axis=-1)
        return np.clip(index, 0, np.array(self.shape) - 1), inside
