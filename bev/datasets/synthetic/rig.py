"""The sensors on the ego vehicle: six cameras and a LiDAR, placed as on the nuScenes cars.

Ego frame: x forward, y left, z up, origin on the ground below the rear axle. Camera frame: x right, y down, z forward.
LiDAR frame: x right, y forward, z up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NATIVE_SIZE = (1600, 900)
"""Width and height of the pictures for which `_CAMERAS` gives focal lengths and centres."""

_CAMERAS = {  # yaw in degrees, x, y, z in metres, focal length and principal point in native pixels
    "CAM_FRONT": (0.0, 1.70, 0.015, 1.51, 1266.4, 816.3, 491.5),
    "CAM_FRONT_RIGHT": (-55.5, 1.55, -0.493, 1.50, 1260.8, 808.0, 495.3),
    "CAM_FRONT_LEFT": (55.0, 1.52, 0.495, 1.51, 1272.6, 826.6, 479.8),
    "CAM_BACK": (180.0, 0.03, 0.003, 1.57, 809.2, 829.2, 481.8),
    "CAM_BACK_LEFT": (108.5, 1.035, 0.485, 1.59, 1256.7, 792.1, 492.8),
    "CAM_BACK_RIGHT": (-109.5, 1.015, -0.480, 1.56, 1259.5, 807.3, 501.2),
}

CAMERA_NAMES = tuple(_CAMERAS)
LIDAR_NAME = "LIDAR_TOP"
_LIDAR = (-90.0, 0.944, 0.0, 1.84)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        name: Channel.
        ego_T_camera: (4, 4) float64.
        intrinsic: (3, 3) float64 in continuous pixels: the image spans [0, width) x [0, height).
        width: Pixels.
        height: Pixels.
        exposure: Factor of its film.
    """

    name: str
    ego_T_camera: np.ndarray
    intrinsic: np.ndarray
    width: int
    height: int
    exposure: float = 1.0

    def directions(self, samples: int) -> np.ndarray:
        """Ray directions (height * samples, width * samples, 3) float32 with z = 1, `samples` per pixel and axis."""
        u = (np.arange(self.width * samples) + 0.5) / samples
        v = (np.arange(self.height * samples) + 0.5) / samples
        x = (u - self.intrinsic[0, 2]) / self.intrinsic[0, 0]
        y = (v - self.intrinsic[1, 2]) / self.intrinsic[1, 1]
        grid = np.meshgrid(x, y)
        return np.stack([*grid, np.ones_like(grid[0])], axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Rig:
    """All sensors of one vehicle.

    Attributes:
        cameras: In the order of `CAMERA_NAMES`.
        ego_T_lidar: (4, 4) float64.
    """

    cameras: tuple[Camera, ...]
    ego_T_lidar: np.ndarray


def draw_rig(rng: np.random.Generator, image_size: tuple[int, int]) -> Rig:
    """Draws a rig whose every sensor is a little off the nominal place, as if another car were used.

    Args:
        rng: Source of randomness.
        image_size: Width and height of the pictures; the calibration is scaled from `NATIVE_SIZE`.
    """
    lift = rng.uniform(-0.08, 0.12)  # the whole car is higher or lower
    cameras = tuple(draw_camera(rng, name, _CAMERAS[name], NATIVE_SIZE, image_size, lift) for name in CAMERA_NAMES)
    yaw, *place = _LIDAR
    angles = np.array([yaw, 0.0, 0.0]) + rng.normal(0.0, [0.8, 0.5, 0.5])
    ego_T_lidar = np.eye(4)
    ego_T_lidar[:3, :3] = rotation(*np.deg2rad(angles))
    ego_T_lidar[:3, 3] = np.array(place) + rng.normal(0.0, 0.02, 3) + [0, 0, lift]
    return Rig(cameras, ego_T_lidar)


def draw_camera(
    rng: np.random.Generator,
    name: str,
    nominal: Sequence[float],
    native_size: tuple[int, int],
    image_size: tuple[int, int],
    lift: float = 0.0,
) -> Camera:
    """Draws a camera that is a little off its nominal place.

    Args:
        rng: Source of randomness.
        name: Of the camera.
        nominal: Yaw in degrees, x, y, z in metres, focal length and principal point in native pixels.
        native_size: Width and height of the pictures that `nominal` is for.
        image_size: Width and height of the pictures.
        lift: Metres by which the car is higher.
    """
    yaw, x, y, z, focal, centre_u, centre_v = nominal
    angles = np.deg2rad(np.array([yaw, 0.0, 0.0]) + rng.normal(0.0, [1.2, 0.8, 0.6]))
    optical = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])  # columns: camera axes in a forward frame
    ego_T_camera = np.eye(4)
    ego_T_camera[:3, :3] = rotation(*angles) @ optical
    ego_T_camera[:3, 3] = np.array([x, y, z + lift]) + rng.normal(0.0, 0.03, 3)
    scale = np.array(image_size) / native_size
    focal *= rng.normal(1.0, 0.012)
    centre = (np.array([centre_u, centre_v]) + rng.normal(0.0, 8.0, 2)) * scale
    intrinsic = np.array([[focal * scale[0], 0.0, centre[0]], [0.0, focal * scale[1], centre[1]], [0.0, 0.0, 1.0]])
    return Camera(name, ego_T_camera, intrinsic, image_size[0], image_size[1], float(rng.uniform(0.9, 1.1)))


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation Rz(yaw) Ry(pitch) Rx(roll), (3, 3), from angles in radians."""
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    turn = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    nod = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    lean = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return turn @ nod @ lean
