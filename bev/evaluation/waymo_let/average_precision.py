"""From counts at score cut-offs to curves, and from curves to average precision.

Shapes: ... rows, C cut-offs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GAP_SLACK = np.float32(1e-6)


@dataclass(frozen=True)
class PrecisionCurves:
    """(..., C) float32. The recall of all three curves is the same: it isn't weighted.

    Attributes:
        precision: Share of predictions that are right; 1 where nothing is found.
        precision_heading: The same, each weighted by its heading accuracy.
        precision_affinity: The same, each weighted by its longitudinal affinity.
        recall: Share of ground truths that are found.
    """

    precision: np.ndarray
    precision_heading: np.ndarray
    precision_affinity: np.ndarray
    recall: np.ndarray


def precision_curves(
    right: np.ndarray,
    wrong: np.ndarray,
    missed: np.ndarray,
    heading: np.ndarray,
    affinity: np.ndarray,
    min_precision: float = 0.0,
) -> PrecisionCurves:
    """Precision and recall from counts.

    Args:
        right: (..., C) true positives.
        wrong: (..., C) false positives.
        missed: (..., C) false negatives.
        heading: (..., C) sums of heading accuracy over true positives.
        affinity: (..., C) sums of longitudinal affinity over true positives.
        min_precision: Lower ones become 0.
    """
    recall = _ratio(right, right + missed)

    def share(weighted: np.ndarray) -> np.ndarray:
        precision = _ratio(weighted, right + wrong)
        precision[precision < np.float32(min_precision)] = 0
        # A placeholder that says nothing of the predictions; average precision ignores it.
        precision[recall == 0] = 1
        return precision

    return PrecisionCurves(share(right), share(heading), share(affinity), recall)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = part.astype(np.float32) / whole.astype(np.float32)
    return np.where(whole > 0, ratio, np.float32(0))


def average_precision(precision: np.ndarray, recall: np.ndarray, recall_delta: float) -> float:
    """Area under a curve from its largest recall down to 0; nothing is assumed beyond that.

    Precision at a recall is the highest at this or a higher one. Where neighbouring recalls are farther apart than
    `recall_delta`, the gap is filled with points that know only the precision at higher recalls.

    Args:
        precision: (C,) float32.
        recall: (C,) float32.
        recall_delta: Widest gap.

    Returns:
        In [0, 1]; 0 without any recall.
    """
    at_recall = {np.float32(0): np.float32(1)}
    for key, value in zip(recall, precision, strict=True):
        at_recall[key] = max(at_recall.get(key, np.float32(0)), value)
    points: list[tuple[np.float32, np.float32]] = []
    highest, last, delta = np.float32(0), np.float32(0), np.float32(recall_delta)
    for key in sorted(at_recall, reverse=True):
        while last - key > delta + GAP_SLACK:
            last -= delta
            points.append((last, highest))
        highest, last = max(highest, at_recall[key]), key
        points.append((key, highest))
    if len(points) > 1:
        points[-1] = (points[-1][0], points[-2][1])
    along, height = np.array(points, dtype=np.float64).T
    return float(0.5 * np.sum((along[:-1] - along[1:]) * (height[:-1] + height[1:])))
