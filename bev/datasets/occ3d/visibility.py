"""Which voxels sensors see: all that their rays pass, up to and with the first occupied one (Occ3D, arXiv 2304.14365).

Shapes: X, Y, Z voxels; R rays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bev.geometry import transform_points
from bev.geometry.voxel_rays import passed_voxels
from bev.geometry.voxels import VoxelGrid

RAYS_PER_VOXEL = 2
"""Where the grid ends, so many rays of a camera at least meet a voxel along each axis, or all of its pixels' rays."""


@dataclass(frozen=True)
class PinholeView:
    """A camera's place and calibration.

    Attributes:
        bev_T_camera: (4, 4), camera axes x right, y down, z forward.
        intrinsic: (3, 3) in continuous pixels: the image spans [0, width) x [0, height).
        width: Pixels.
        height: Pixels.
    """

    bev_T_camera: np.ndarray
    intrinsic: np.ndarray
    width: int
    height: int

    def rays(self, stride: int) -> np.ndarray:
        """Directions (R, 3) in the camera's frame, z = 1, through the middles of blocks of stride x stride pixels."""
        u, v = ((np.arange(math.ceil(side / stride)) + 0.5) * stride for side in (self.width, self.height))
        x = (np.minimum(u, self.width) - self.intrinsic[0, 2]) / self.intrinsic[0, 0]
        y = (np.minimum(v, self.height) - self.intrinsic[1, 2]) / self.intrinsic[1, 1]
        grid = np.meshgrid(x, y)
        return np.stack([*grid, np.ones_like(grid[0])], axis=-1).reshape(-1, 3)


def camera_mask(occupied: np.ndarray, views: Iterable[PinholeView], grid: VoxelGrid) -> np.ndarray:
    """Voxels that cameras see: (X, Y, Z) bool.

    Args:
        occupied: (X, Y, Z) bool.
        views: The cameras, in the frame of the grid.
        grid: Of the voxels.
    """
    reach = np.abs(np.array(grid.bounds)).reshape(2, 3).max(axis=0)
    farthest = float(np.linalg.norm(reach))
    mask = np.zeros(grid.shape, dtype=bool)
    for view in views:
        stride = max(1, int(min(grid.voxel_size) / RAYS_PER_VOXEL * view.intrinsic[0, 0] / farthest))
        mask |= sensor_mask(occupied, view.bev_T_camera, view.rays(stride) * 2 * farthest, grid)
    return mask


def sensor_mask(occupied: np.ndarray, bev_T_sensor: np.ndarray, ends: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    """Voxels that rays of a sensor reach, up to the first occupied one: (X, Y, Z) bool.

    Args:
        occupied: (X, Y, Z) bool.
        bev_T_sensor: (4, 4). From a sensor outside the grid no rays are cast.
        ends: (R, 3) ends of the rays in the sensor's frame, metres.
        grid: Of the voxels.
    """
    origin = bev_T_sensor[:3, 3]
    if not grid.indices(origin)[1]:
        return np.zeros(grid.shape, dtype=bool)
    targets = transform_points(ends, bev_T_sensor)
    return passed_voxels(occupied, grid.to_voxels(origin), grid.to_voxels(targets), blocked=True)
