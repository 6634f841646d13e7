"""The rays of one sensor at one moment, as compiled code reads them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bev.geometry.compiled import jit


class Rays(NamedTuple):
    """A grid of rays.

    Attributes:
        directions: (H, W, 3) float32 in the sensor frame. Cameras: (x, y, 1), so that the ray parameter t is the depth
            along the optical axis. LiDAR: unit vectors, so that t is the range.
        rotation: (3, 3) float32, world_R_sensor.
        position: (3,) float64, the sensor in the world, metres.
        step: Angle between neighbouring rays, radians.
    """

    directions: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    step: float

    @classmethod
    def of(cls, directions: np.ndarray, world_T_sensor: np.ndarray, step: float) -> Rays:
        """Rays (H, W, 3) of a sensor with the given (4, 4) pose."""
        rotation = np.ascontiguousarray(world_T_sensor[:3, :3].astype(np.float32))
        return cls(directions, rotation, np.ascontiguousarray(world_T_sensor[:3, 3]), float(step))


@jit
def world_direction(rays: Rays, v: int, u: int) -> tuple[float, float, float, float]:
    """Unit vector (x, y, z) of a ray in the world, and the length of one unit of its parameter t in metres."""
    a, b, c = rays.directions[v, u, 0], rays.directions[v, u, 1], rays.directions[v, u, 2]
    m = rays.rotation
    x = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
    y = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c
    z = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length, length
