"""LiDAR sweeps as nuScenes stores them."""

from __future__ import annotations

import os

import numpy as np

from bev.errors import InputError

FEATURES = 5  # of a point: x, y, z, intensity, ring


class LidarFileError(InputError):
    """A file that holds no points; the message names it."""


def read_points(path: str | os.PathLike) -> np.ndarray:
    """Points (N, 5) float32 of a `.pcd.bin` file: x, y, z in metres in the sensor's frame, intensity, ring.

    Raises:
        LidarFileError: It is empty, or cut within a point.
        OSError: It can't be read.
    """
    raw = np.fromfile(path, dtype=np.uint8)
    size = FEATURES * np.dtype(np.float32).itemsize
    if not len(raw) or len(raw) % size:
        raise LidarFileError(f"{path}: {len(raw)} bytes are no points of {size} bytes; download it again")
    return raw.view(np.float32).reshape(-1, FEATURES)
