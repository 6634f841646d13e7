"""RayIoU: occupancy judged along the rays of a virtual LiDAR (SparseOcc, arXiv 2312.17118, section 4).

A query ray is right if the first occupied voxel that it meets in the prediction has the class of the one that it meets
in the ground truth, and the distances to the two differ by less than a threshold. Unlike mIoU this does not reward
surfaces that are too thick.

Shapes: X, Y, Z voxels; O origins; R rays; K classes, free space last; D thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from bev.datasets.occ3d.classes import CLASSES, FREE, GRID
from bev.errors import InputError
from bev.evaluation.occupancy import each
from bev.geometry.voxel_rays import first_hits
from bev.geometry.voxels import VoxelGrid

RAY_FIELDS = ("scene_token", "timestamp", "ego2global", "lidar_points")
"""What a sample of an index needs for the origins of its rays."""

THRESHOLDS = (1.0, 2.0, 4.0)
"""Metres."""

LIDAR_ORIGIN = ((0.9858, 0.0, 1.8402),)
"""The LiDAR of the nuScenes cars in the ego frame, metres."""

MAX_ORIGINS = 8
ORIGIN_RANGE = 39.0
"""Origins are at most this far from the vehicle along x and y, metres."""


@cache
def lidar_rays() -> np.ndarray:
    """Unit vectors (R, 3) float32: one ray per degree of azimuth, at pitches that meet the ground in even steps.

    The first ten pitches meet the ground 1 to 10 heights of the sensor away; further ones go on in the last step up to
    0.21 rad above the horizon.
    """
    pitches = [-(math.pi / 2 - math.atan(k)) for k in range(1, 11)]
    while pitches[-1] < 0.21:
        pitches.append(2 * pitches[-1] - pitches[-2])
    pitch, azimuth = np.meshgrid(pitches, np.deg2rad(np.arange(360)), indexing="ij")
    rays = [np.cos(pitch) * np.cos(azimuth), np.cos(pitch) * np.sin(azimuth), np.sin(pitch)]
    return np.stack(rays, axis=-1).reshape(-1, 3).astype(np.float32)


@dataclass
class RayCounts:
    """Rays of samples seen so far; two of them can be added.

    Attributes:
        truth: (K,) int64 rays by class of the ground truth.
        predicted: (K,) int64 the same rays by predicted class.
        right: (D, K) int64 right rays by threshold and class.
    """

    truth: np.ndarray = field(default_factory=lambda: np.zeros(len(CLASSES), dtype=np.int64))
    predicted: np.ndarray = field(default_factory=lambda: np.zeros(len(CLASSES), dtype=np.int64))
    right: np.ndarray = field(default_factory=lambda: np.zeros((len(THRESHOLDS), len(CLASSES)), dtype=np.int64))

    def __add__(self, other: RayCounts) -> RayCounts:
        return RayCounts(self.truth + other.truth, self.predicted + other.predicted, self.right + other.right)

    def summary(self) -> dict[str, float]:
        """`RayIoU`, its values `RayIoU@1`, `RayIoU@2`, `RayIoU@4`, and each class's mean over thresholds by name."""
        union = self.truth + self.predicted - self.right
        with np.errstate(invalid="ignore"):
            iou = (self.right / union)[:, :FREE]
        per_threshold = [_mean(row) for row in iou]
        result = {f"RayIoU@{threshold:g}": value for threshold, value in zip(THRESHOLDS, per_threshold, strict=True)}
        per_class = {name: _mean(iou[:, k]) for k, name in enumerate(CLASSES[:FREE])}
        return {"RayIoU": _mean(iou.reshape(-1)), **result, **per_class}


def count_rays(
    prediction: np.ndarray, labels: np.ndarray, origins: np.ndarray | Sequence, grid: VoxelGrid = GRID
) -> RayCounts:
    """Casts all rays of one sample; those that meet nothing in the ground truth don't count.

    Args:
        prediction: (X, Y, Z) labels.
        labels: (X, Y, Z); rays pass unknown voxels as if they were free.
        origins: (O, 3), metres in the frame of the grid.
        grid: Of the voxels, which must be cubes.

    Raises:
        InputError: If a shape isn't the grid's.
    """
    for name, array in (("prediction", prediction), ("labels", labels)):
        if array.shape != grid.shape:
            raise InputError(f"{name} has shape {array.shape}, expected {grid.shape}")
    size = grid.voxel_size[0]
    starts, rays = grid.to_voxels(np.asarray(origins, dtype=np.float64).reshape(-1, 3)), lidar_rays()
    truth, truth_depth = first_hits(np.where(labels < FREE, labels, FREE), FREE, starts, rays)
    found, found_depth = first_hits(prediction, FREE, starts, rays)
    met = truth != FREE
    truth, found = truth[met], found[met]
    error = np.abs(truth_depth[met] - found_depth[met]) * size
    same = truth == found
    right = [np.bincount(truth[same & (error < limit)], minlength=len(CLASSES)) for limit in THRESHOLDS]
    return RayCounts(
        np.bincount(truth, minlength=len(CLASSES)), np.bincount(found, minlength=len(CLASSES)), np.stack(right)
    )


def ray_iou(
    predictions: np.ndarray | Iterable[np.ndarray],
    labels: np.ndarray | Iterable[np.ndarray],
    origins: np.ndarray | Sequence | None = None,
    grid: VoxelGrid = GRID,
) -> dict[str, float]:
    """RayIoU over samples.

    Args:
        predictions: (X, Y, Z) uint8 labels of one sample, or an iterable of them.
        labels: As many ground truths.
        origins: Where rays start: (O, 3) metres in the frame of the grid for one sample, or an iterable of such
            arrays (see `ray_origins`); the LiDAR's own place by default.
        grid: Of the voxels.

    Returns:
        As `RayCounts.summary`; in [0, 1], NaN for classes that no ray meets.

    Raises:
        InputError: If numbers or shapes of the arrays differ.
    """
    starts: Iterable
    if origins is None:
        starts = repeat(LIDAR_ORIGIN)
    else:
        single = isinstance(predictions, np.ndarray) and predictions.ndim == 3
        starts = [origins] if single else origins
    total = RayCounts()
    predicted, truth = iter(each(predictions)), iter(each(labels))
    for prediction, label, start in zip(predicted, truth, starts, strict=False):
        total = total + count_rays(np.asarray(prediction), np.asarray(label), start, grid)
    if next(predicted, None) is not None or next(truth, None) is not None:
        raise InputError("there are not as many predictions as labels and origins")
    return total.summary()


def ray_origins(records: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Origins of each sample's rays: places of the LiDAR along the drive through its scene, at most eight.

    Args:
        records: Samples of an index file, with `RAY_FIELDS`.

    Returns:
        By token, (O, 3) metres in the sample's ego frame.
    """
    scenes: dict[str, list[dict]] = {}
    for record in sorted(records, key=lambda record: record["timestamp"]):
        scenes.setdefault(record["scene_token"], []).append(record)
    origins = {}
    for members in scenes.values():
        poses = np.stack([np.asarray(record["ego2global"], dtype=np.float64) for record in members])
        mounts = np.stack([np.asarray(record["lidar_points"]["lidar2ego"])[:3, 3] for record in members])
        places = np.einsum("nij,nj->ni", poses[:, :3, :3], mounts) + poses[:, :3, 3]
        for record, pose in zip(members, poses, strict=True):
            local = (places - pose[:3, 3]) @ pose[:3, :3]
            near = local[(np.abs(local[:, :2]) < ORIGIN_RANGE).all(axis=1)]
            chosen = np.round(np.linspace(0, len(near) - 1, min(MAX_ORIGINS, len(near)))).astype(np.int64)
            origins[record["token"]] = near[chosen]
    return origins


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")
