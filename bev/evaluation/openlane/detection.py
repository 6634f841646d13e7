"""Matching of predictions to the ground truth, and average precision.

Shapes: G true and P predicted instances of a frame; K classes; T thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RECALLS = np.arange(0, 1 + 1e-3, 0.1).astype(np.float32)
"""Levels at which precision is read; recalls are float32 too, and 7 of 10 must reach the level 0.7."""


@dataclass(frozen=True)
class JudgedInstances:
    """What average precision needs of a frame.

    Attributes:
        confidence: (P,) of the predictions.
        labels: (P,) int64 positions among the classes; -1 for what is of none of them.
        hits: (T, P) bool, true positives.
        truths: (K,) int64 numbers of true instances.
    """

    confidence: np.ndarray
    labels: np.ndarray
    hits: np.ndarray
    truths: np.ndarray


def match(distances: np.ndarray, confidence: np.ndarray, threshold: float) -> np.ndarray:
    """The true instance (P,) int64 that each prediction found, or -1.

    A prediction can only find the nearest true instance, the first of several, if that is below the threshold; of the
    predictions that are nearest to one, the most confident finds it, and the first of equally confident ones.

    Args:
        distances: (G, P); a prediction with NaN finds nothing.
        confidence: (P,); NaN ranks last.
        threshold: Exclusive.
    """
    found = np.full(len(confidence), -1, dtype=np.int64)
    if distances.size:
        nearest = distances.argmin(axis=0)
        near = distances.min(axis=0) < threshold
        order = np.argsort(-confidence, kind="stable")
        candidates = order[near[order]]
        _, first = np.unique(nearest[candidates], return_index=True)
        found[candidates[first]] = nearest[candidates[first]]
    return found


def judge(
    distances: np.ndarray,
    true_labels: np.ndarray,
    labels: np.ndarray,
    confidence: np.ndarray,
    thresholds: Sequence[float],
    classes: Sequence[int],
) -> JudgedInstances:
    """Matches predictions of a frame to true instances of their own class.

    Args:
        distances: (G, P).
        true_labels: (G,) int64 as in the annotation.
        labels: (P,) int64 likewise.
        confidence: (P,).
        thresholds: Of the distance.
        classes: What counts; other labels are left out.
    """
    same = np.where(true_labels[:, None] == labels[None], distances, np.inf)
    hits = np.array([match(same, confidence, threshold) >= 0 for threshold in thresholds])
    truths = (true_labels[:, None] == np.asarray(classes)).sum(axis=0)
    is_class = labels[:, None] == np.asarray(classes)
    return JudgedInstances(confidence, np.where(is_class.any(axis=1), is_class.argmax(axis=1), -1), hits, truths)


def average_precisions(frames: Sequence[JudgedInstances]) -> np.ndarray:
    """Average precision (K, T) float32 over all frames, at least one."""
    confidence = np.concatenate([frame.confidence for frame in frames])
    order = np.argsort(-confidence, kind="stable")
    labels = np.concatenate([frame.labels for frame in frames])[order]
    hits = np.concatenate([frame.hits for frame in frames], axis=1)[:, order]
    truths = np.sum([frame.truths for frame in frames], axis=0)
    rows = [[_average_precision(row[labels == k], truths[k]) for row in hits] for k in range(len(truths))]
    return np.array(rows, dtype=np.float32)


def _average_precision(hits: np.ndarray, truths: int) -> np.float32:
    """Mean over `RECALLS` of the best precision at that recall or more; hits (P,) come most confident first.

    1 where there is nothing to find and nothing predicted; float32 throughout, as in the official evaluation.
    """
    if not len(hits):
        return np.float32(truths == 0)
    found = np.cumsum(hits, dtype=np.float32)
    recall = found / np.float32(max(truths, 1))
    precision = found / np.arange(1, len(hits) + 1, dtype=np.float32)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], np.float32(0))
    levels = best[np.searchsorted(recall, RECALLS, side="left")]
    return np.cumsum(levels, dtype=np.float32)[-1] / np.float32(len(RECALLS))
