"""The five cameras of Waymo's cars: places, directions, lenses and image sizes of a real calibration, and its timing.

Nothing looks backwards. Lenses are ideal here; those of the real cars bend straight lines a little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.rig import Camera, Rig, draw_camera, rotation

NATIVE_WIDTH = 1920
READOUT = 0.0444
"""Seconds between the first and the last column of a picture, which is read from left to right."""

_CAMERAS = {  # yaw in degrees, x, y, z in metres, focal length and principal point in native pixels, height, delay
    "FRONT": (0.0, 1.54, -0.02, 2.115, 2050.0, 955.0, 638.0, 1280, 0.0524),
    "FRONT_LEFT": (45.0, 1.49, 0.09, 2.115, 2050.0, 955.0, 645.0, 1280, 0.0424),
    "FRONT_RIGHT": (-45.0, 1.49, -0.09, 2.115, 2050.0, 960.0, 646.0, 1280, 0.0624),
    "SIDE_LEFT": (90.0, 1.43, 0.11, 2.115, 2055.0, 968.0, 246.0, 886, 0.0224),
    "SIDE_RIGHT": (-90.0, 1.43, -0.11, 2.115, 2060.0, 962.0, 241.0, 886, 0.0724),
}
_LIDAR = (0.0, 1.43, 0.0, 2.184)


@dataclass(frozen=True)
class RollingCamera:
    """A camera whose columns are exposed one after the other.

    Attributes:
        camera: Its geometry.
        delay: Seconds from the frame's time to the exposure of the middle column.
    """

    camera: Camera
    delay: float

    def time_of(self, column: float) -> float:
        """Seconds from the frame's time to the exposure of a column, pixels."""
        return self.delay + (column / self.camera.width - 0.5) * READOUT


def draw_waymo_rig(rng: np.random.Generator, width: int) -> tuple[Rig, tuple[RollingCamera, ...]]:
    """Draws a rig whose every sensor is a little off the nominal place, as if another car were used.

    Args:
        rng: Source of randomness.
        width: Of the pictures, pixels; heights and calibration are scaled from `NATIVE_WIDTH`.
    """
    rolling = tuple(_draw_rolling(rng, name, width) for name in _CAMERAS)
    yaw, *place = _LIDAR
    ego_T_lidar = np.eye(4)
    ego_T_lidar[:3, :3] = rotation(*np.deg2rad(np.array([yaw, 0.0, 0.0]) + rng.normal(0.0, 0.4, 3)))
    ego_T_lidar[:3, 3] = np.array(place) + rng.normal(0.0, 0.01, 3)
    return Rig(tuple(entry.camera for entry in rolling), ego_T_lidar), rolling


def _draw_rolling(rng: np.random.Generator, name: str, width: int) -> RollingCamera:
    *nominal, native_height, delay = _CAMERAS[name]
    native = (NATIVE_WIDTH, native_height)
    size = (width, round(native_height * width / NATIVE_WIDTH))
    return RollingCamera(draw_camera(rng, name, nominal, native, size), delay)
