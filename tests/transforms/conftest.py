"""A small clip with real image files, made anew for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import bev  # noqa: F401  (lets mmdet3d import)

# isort: split
from mmdet3d.structures import LiDARInstance3DBoxes

from bev.structures.clip import Clip

BOXES = [[8.0, 3.0, 0.2, 4.2, 1.9, 1.6, 0.4, 2.0, -1.0], [-12.0, -5.0, -0.5, 0.8, 0.6, 1.8, 2.5, 0.0, 0.5]]
IMAGE_SIZES = {"CAM_FRONT": (180, 320), "CAM_BACK": (180, 320), "CAM_SIDE": (121, 203)}


def camera_projection(yaw: float, height: int, width: int) -> np.ndarray:
    """pix_T_bev (4, 4) of a camera 1.5 m above the origin that looks along `yaw`."""
    forward = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    cam_T_bev = np.eye(4)
    cam_T_bev[:3, :3] = np.stack([right, [0.0, 0.0, -1.0], forward])
    cam_T_bev[:3, 3] = -cam_T_bev[:3, :3] @ [0.0, 0.0, 1.5]
    pix_T_cam = np.eye(4)
    pix_T_cam[:3, :3] = [[0.8 * width, 0, 0.51 * width], [0, 0.8 * width, 0.47 * height], [0, 0, 1]]
    return pix_T_cam @ cam_T_bev


def textured_image(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth random uint8 image (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


class Marker:
    """A bright blob on black whose centre can be told to a fraction of a pixel; continuous pixel coordinates."""

    @staticmethod
    def paint(height: int, width: int, u: float, v: float, sigma: float = 4.0) -> np.ndarray:
        """An image (height, width, 3) with the blob at (u, v)."""
        columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
        blob = 250 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * sigma**2))
        return np.repeat(np.rint(blob).astype(np.uint8)[..., None], 3, axis=2)

    @staticmethod
    def find(image: np.ndarray) -> tuple[float, float]:
        """(u, v) of the blob."""
        weights = np.clip(image[..., 0].astype(np.float64) - 10, 0, None)
        columns, rows = np.arange(image.shape[1]) + 0.5, np.arange(image.shape[0])[:, None] + 0.5
        return float((weights * columns).sum() / weights.sum()), float((weights * rows).sum() / weights.sum())


@pytest.fixture
def marker() -> type[Marker]:
    return Marker


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Clip]:
    """Makes a clip of some frames; images are files in the test's temporary folder, not loaded yet."""

    def make(num_frames: int = 1, suffix: str = ".jpg", names: tuple[str, ...] = ("CAM_FRONT", "CAM_BACK")) -> Clip:
        return {
            "sample_token": f"sample{num_frames - 1}",
            "scene_token": "scene",
            "timestamp": 100.0,
            "global_T_bev": np.eye(4),
            "camera_names": list(names),
            "current": num_frames - 1,
            "lidar_path": None,
            "on_error": "raise",
            "bev_augmentation": np.eye(4),
            "gt_boxes": LiDARInstance3DBoxes(torch.tensor(BOXES), box_dim=9, origin=(0.5, 0.5, 0.5)),
            "gt_labels": np.array([3, 6]),
            "frames": [_make_frame(tmp_path, t, num_frames, suffix, names) for t in range(num_frames)],
        }

    return make


def _make_frame(folder: Path, t: int, num_frames: int, suffix: str, names: tuple[str, ...]) -> dict:
    cameras = {}
    for n, name in enumerate(names):
        height, width = IMAGE_SIZES[name]
        path = folder / f"{name}_{t}{suffix}"
        cv2.imwrite(str(path), textured_image(height, width, seed=10 * t + n))
        projection = camera_projection(np.pi * n, height, width)
        cameras[name] = {
            "path": str(path),
            "token": f"data{t}{n}",
            "pix_T_bev": projection,
            "file_pix_T_bev": projection.copy(),
            "height": height,
            "width": width,
        }
    return {"time": 0.5 * (t - num_frames + 1), "valid": True, "token": f"sample{t}", "cameras": cameras}
