"""Occupancy: mean IoU as in the CVPR 2023 challenge, and the F-score of occupied voxels.

Shapes: X, Y, Z voxels; K classes, free space last.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import numpy as np
from scipy.ndimage import distance_transform_edt

from bev.datasets.occ3d.classes import CLASSES, FREE, GRID
from bev.errors import InputError

MEAN = "mIoU"

NEAR = 0.6
"""Metres, the challenge's: neighbours that share a face or an edge are near each other."""


def confusion(prediction: np.ndarray, labels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Counts of voxels by label and prediction.

    Args:
        prediction: (X, Y, Z) labels.
        labels: (X, Y, Z); voxels with other labels than the classes are left out.
        mask: (X, Y, Z), voxels that count; None for all.

    Returns:
        (K, K) int64, rows are labels.

    Raises:
        InputError: If the shapes differ, or a prediction is no class.
    """
    if prediction.shape != labels.shape or (mask is not None and mask.shape != labels.shape):
        shapes = [None if array is None else array.shape for array in (prediction, labels, mask)]
        raise InputError(f"shapes differ: prediction, labels and mask have {shapes}")
    if prediction.size and (prediction.min() < 0 or prediction.max() >= len(CLASSES)):
        raise InputError(f"predictions must be labels from 0 to {len(CLASSES) - 1}, found {prediction.max()}")
    counted = (labels >= 0) & (labels < len(CLASSES))
    if mask is not None:
        counted &= mask.astype(bool)
    pairs = labels[counted].astype(np.int64) * len(CLASSES) + prediction[counted]
    return np.bincount(pairs, minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1)


def miou_of(counts: np.ndarray) -> dict[str, float]:
    """IoU of every class but free space, by name, and their mean as `mIoU`, from a (K, K) confusion matrix.

    A class that is neither labelled nor predicted has no IoU (NaN) and is left out of the mean. Free space counts only
    through what is mistaken for it, or it for.
    """
    right = np.diag(counts).astype(np.float64)
    union = counts.sum(0) + counts.sum(1) - right
    with np.errstate(invalid="ignore"):
        iou = (right / union)[:FREE]
    present = iou[~np.isnan(iou)]
    result = dict(zip(CLASSES, iou.tolist(), strict=False))
    return {**result, MEAN: float(present.mean()) if len(present) else float("nan")}


def occupancy_miou(
    predictions: np.ndarray | Iterable[np.ndarray],
    labels: np.ndarray | Iterable[np.ndarray],
    mask: np.ndarray | Iterable[np.ndarray] | None = None,
) -> dict[str, float]:
    """Mean IoU over the 17 classes that aren't free space, from one confusion matrix over all samples.

    Args:
        predictions: (X, Y, Z) uint8 labels of one sample, or an iterable of them; they are read one after the other.
        labels: As many ground truths.
        mask: Voxels that count, bool (`mask_camera` in the challenge); None for all.

    Returns:
        IoU in [0, 1] of each class by name, NaN for classes that appear nowhere, and `mIoU`.

    Raises:
        InputError: If numbers or shapes of the arrays differ, or a prediction is no class.
    """
    total = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    masks: Iterable = repeat(None) if mask is None else each(mask)
    predicted, truth = iter(each(predictions)), iter(each(labels))
    for prediction, label, counted in zip(predicted, truth, masks, strict=False):
        total += confusion(np.asarray(prediction), np.asarray(label), counted)
    if next(predicted, None) is not None or next(truth, None) is not None:
        raise InputError("there are not as many predictions as labels and masks")
    return miou_of(total)


def each(arrays: np.ndarray | Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """The arrays of an iterable, or the single array of one sample."""
    return [arrays] if isinstance(arrays, np.ndarray) and arrays.ndim == 3 else arrays


def occupancy_fscore(prediction: np.ndarray, labels: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Harmonic mean of two shares: predicted voxels near occupied ones, and occupied voxels near predicted ones.

    Near are voxels whose centres are less than `NEAR` apart.

    Args:
        prediction: (X, Y, Z) labels.
        labels: (X, Y, Z).
        mask: Voxels that count; None for all.

    Returns:
        In [0, 1]; 0 where nothing is predicted or nothing is occupied.
    """
    counted = np.ones(labels.shape, dtype=bool) if mask is None else mask.astype(bool)
    predicted, occupied = ((array < FREE) & counted for array in (prediction, labels))
    if not predicted.any() or not occupied.any():
        return 0.0
    accuracy = (distance_transform_edt(~occupied, sampling=GRID.voxel_size)[predicted] < NEAR).mean()
    completeness = (distance_transform_edt(~predicted, sampling=GRID.voxel_size)[occupied] < NEAR).mean()
    total = accuracy + completeness
    return float(2 * accuracy * completeness / total) if total else 0.0
