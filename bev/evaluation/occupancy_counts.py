"""What evaluation remembers of occupancy samples: counts that can be added, and the figures and the table made of them.

Shapes: X, Y, Z voxels; K classes, free space last; 3 masks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bev.datasets.occ3d.classes import CLASSES, FREE, GRID, MASKS, UNKNOWN
from bev.datasets.occ3d.labels import OccupancyLabels
from bev.evaluation.occupancy import MEAN, confusion, miou_of, occupancy_fscore
from bev.evaluation.ray_iou import RayCounts, count_rays

COUNTED = (*MASKS, None)
"""Which voxels count: those that cameras or the LiDAR see, or all."""


def _no_counts() -> np.ndarray:
    return np.zeros((len(COUNTED), len(CLASSES), len(CLASSES)), dtype=np.int64)


@dataclass
class OccupancyCounts:
    """Samples seen so far.

    Attributes:
        samples: Their number.
        confusion: (3, K, K) int64 voxels by mask, label and prediction.
        rays: For RayIoU; None if no rays were cast.
        fscores: (3,) sums of the samples' F-scores; None if there are none.
    """

    samples: int = 0
    confusion: np.ndarray = field(default_factory=_no_counts)
    rays: RayCounts | None = None
    fscores: np.ndarray | None = None

    def __add__(self, other: OccupancyCounts) -> OccupancyCounts:
        return OccupancyCounts(
            self.samples + other.samples,
            self.confusion + other.confusion,
            _sum(self.rays, other.rays),
            _sum(self.fscores, other.fscores),
        )

    def summary(self) -> dict[str, float]:
        """mIoU by mask (`mIoU_camera`, `mIoU_lidar`, `mIoU`), RayIoU, F-scores, and IoU in the camera mask by class."""
        metrics = {_suffixed(MEAN, mask): miou_of(table)[MEAN] for mask, table in self._tables()}
        if self.rays is not None:
            metrics |= {name: value for name, value in self.rays.summary().items() if name.startswith("RayIoU")}
        if self.fscores is not None:
            means = self.fscores / max(self.samples, 1)
            metrics |= {_suffixed("fscore", mask): float(mean) for mask, mean in zip(COUNTED, means, strict=True)}
        camera = miou_of(self.confusion[0])
        return metrics | {f"IoU_camera/{name}": camera[name] for name in CLASSES[:FREE]}

    def table(self) -> str:
        """IoU in per cent, a line per class and a column per mask and for rays."""
        columns = {_suffixed(MEAN, mask): miou_of(table) for mask, table in self._tables()}
        if self.rays is not None:
            rays = self.rays.summary()
            columns["RayIoU"] = {**rays, MEAN: rays["RayIoU"]}
        lines = [f"{'':22s}" + "".join(f"{name:>14s}" for name in columns)]
        for row in (*CLASSES[:FREE], MEAN):
            lines.append(f"{row:22s}" + "".join(f"{100 * column[row]:14.2f}" for column in columns.values()))
        return "\n".join(lines)

    def _tables(self) -> Iterable[tuple[str | None, np.ndarray]]:
        return zip(COUNTED, self.confusion, strict=True)


def count_sample(
    prediction: np.ndarray, labels: OccupancyLabels, origins: np.ndarray | None = None, fscore: bool = False
) -> OccupancyCounts:
    """Compares one prediction with its labels.

    Args:
        prediction: (X, Y, Z) uint8.
        labels: Of the same shape.
        origins: (O, 3) where rays start, metres in the ego frame (`ray_iou.ray_origins`); None to cast none.
        fscore: Whether to compute F-scores, a fifth of a second per mask.

    Raises:
        InputError: If the shapes differ, or a prediction is no class.
    """
    truth, masks = labels.semantics, (labels.mask_camera, labels.mask_lidar, None)
    return OccupancyCounts(
        1,
        np.stack([confusion(prediction, truth, mask) for mask in masks]),
        None if origins is None else count_rays(prediction, truth, origins),
        np.array([occupancy_fscore(prediction, truth, mask) for mask in masks]) if fscore else None,
    )


def most_frequent_labels(samples: Iterable[OccupancyLabels], camera_only: bool = False) -> np.ndarray:
    """The most frequent class of each voxel, (X, Y, Z) uint8: what a model that sees nothing can know.

    Args:
        samples: Labels to learn from, read one after the other.
        camera_only: Count voxels only where cameras see them; those that they never see are free.
    """
    counts = np.zeros((np.prod(GRID.shape), len(CLASSES)), dtype=np.int32)
    for labels in samples:
        known = labels.semantics != UNKNOWN
        chosen = np.flatnonzero(known & labels.mask_camera if camera_only else known)
        counts[chosen, labels.semantics.reshape(-1)[chosen]] += 1
    counts[:, FREE] += counts.sum(axis=1) == 0
    return counts.argmax(axis=1).astype(np.uint8).reshape(GRID.shape)


def _sum(first: Any, second: Any) -> Any:
    """Sum of what is there of the two."""
    return second if first is None else first if second is None else first + second


def _suffixed(name: str, mask: str | None) -> str:
    return name if mask is None else f"{name}_{mask}"
