"""One set of boxes from several: weighted box fusion (arXiv 1910.13302) on the ground, or non-maximum suppression.

A box is x, y, z of the centre, length, width, height, heading, and what else is to be averaged (a velocity): metres,
radians, metres per second.

Shapes: N boxes of all sources together, D >= 7 numbers of a box, S sources, K classes, M fused boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bev.errors import InputError
from bev.geometry.compiled import jit
from bev.geometry.overlap import box_iou

METHODS = ("wbf", "nms")
MIN_STRENGTH = 1e-9
"""Of a box whose score is zero, so that it still has a place in an average."""


@dataclass(frozen=True)
class FusedBoxes:
    """What came out, best first.

    Attributes:
        boxes: (M, D).
        scores: (M,).
        labels: (M,) int64.
        leaders: (M,) int64, the row of each one's strongest box among those that went in.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    leaders: np.ndarray


@dataclass(frozen=True)
class BoxFusion:
    """How boxes of several sources (models, or augmentations of the input) become one set, class by class.

    "wbf": boxes are visited from the strongest (score times weight) to the weakest. Each joins the fused box of its
    class that it overlaps most with, if that is more than the threshold, or founds one. A fused box is the mean of its
    members, by their strengths, and follows them as they join. Its score is their mean by weight, and what sources lack
    it counts as a score of zero: `sum(weight * score) / sum(all weights)`. Other than in the paper, a source gives a
    fused box one member at most. Detectors without suppression of their own often list an object twice, and a second
    vote of theirs would pull its score down; and so any number of equal sources gives back what each of them said.

    "nms": the strongest boxes, without those that overlap more than the threshold with a stronger one of their class.
    Scores are multiplied by the source's weight, relative to the largest.

    Headings half a turn apart are one direction of travel seen two ways: the axis is averaged, and the stronger side
    decides which way it points.

    Args:
        weights: (S,) positive.
        thresholds: IoU on the ground in [0, 1), one for all classes or one per label.
        method: "wbf" or "nms".

    Raises:
        InputError: If an option makes no sense.
    """

    weights: Sequence[float]
    thresholds: float | Sequence[float] = 0.3
    method: str = "wbf"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method is {' or '.join(METHODS)}, not {self.method!r}")
        if not len(self.weights) or not all(0 < weight < math.inf for weight in self.weights):
            raise InputError(f"every source needs a positive weight, not {tuple(self.weights)}")
        if not all(0 <= threshold < 1 for threshold in np.atleast_1d(self.thresholds)):
            raise InputError(f"IoU thresholds are at least 0 and below 1, not {self.thresholds}")

    def __call__(
        self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, sources: np.ndarray
    ) -> FusedBoxes:
        """Fuses the boxes of one frame.

        Args:
            boxes: (N, D), all in one frame.
            scores: (N,) at least 0.
            labels: (N,) below K.
            sources: (N,) below S, where each box comes from.
        """
        boxes, scores = np.ascontiguousarray(boxes, dtype=np.float64), np.asarray(scores, dtype=np.float64)
        labels, sources = np.asarray(labels, dtype=np.int64), np.asarray(sources, dtype=np.int64)
        weights = np.asarray(self.weights, dtype=np.float64)
        thresholds = self._thresholds(labels)
        order = np.argsort(-scores * weights[sources], kind="stable")
        if self.method == "nms":
            kept = order[_suppress(boxes, labels, thresholds, order)]
            fused, found = boxes[kept], scores[kept] * (weights[sources[kept]] / weights.max())
        else:
            leaders = np.empty(len(boxes), dtype=np.int64)
            fused, found = np.empty_like(boxes), np.empty(len(boxes))
            count = _join(boxes, scores, labels, sources, weights, thresholds, order, fused, found, leaders)
            fused, found, kept = fused[:count], found[:count], leaders[:count]
        best = np.argsort(-found, kind="stable")
        return FusedBoxes(fused[best], found[best], labels[kept[best]], kept[best])

    def _thresholds(self, labels: np.ndarray) -> np.ndarray:
        """Threshold by label."""
        number = int(labels.max(initial=-1)) + 1
        given = np.asarray(self.thresholds, dtype=np.float64)
        if given.ndim and len(given) < number:
            raise InputError(f"there are {len(given)} IoU thresholds, but a box has label {number - 1}")
        return given if given.ndim else np.full(number, given)


@jit
def _suppress(boxes, labels, thresholds, order):
    """Which places of `order` no stronger box suppresses."""
    points, scratch = np.empty((16, 2)), np.empty((16, 2))
    kept = np.ones(len(order), dtype=np.bool_)
    for i in range(len(order)):
        row = order[i]
        for j in range(i):
            other = order[j]
            candidate = kept[j] and labels[other] == labels[row]
            if candidate and box_iou(boxes[other], boxes[row], True, points, scratch) > thresholds[labels[row]]:
                kept[i] = False
                break
    return kept


@jit
def _join(boxes, scores, labels, sources, weights, thresholds, order, fused, means, leaders):
    """Fills `fused` (N, D), `means` and `leaders` (N,) with fused boxes in the order of their founders; how many."""
    points, scratch = np.empty((16, 2)), np.empty((16, 2))
    number, width = boxes.shape
    strengths, shares, votes = np.empty(number), np.empty(number), np.empty(number)
    has = np.zeros((number, len(weights)), dtype=np.bool_)
    count = 0
    for row in order:
        weight, label, source = weights[sources[row]], labels[row], sources[row]
        strength = max(weight * scores[row], MIN_STRENGTH)
        best, overlap = -1, thresholds[label]
        for k in range(count):
            if labels[leaders[k]] == label and not has[k, source]:
                iou = box_iou(fused[k], boxes[row], True, points, scratch)
                if iou > overlap:
                    best, overlap = k, iou
        if best < 0:
            best, count = count, count + 1
            for d in range(width):
                fused[best, d] = boxes[row, d]
            leaders[best], means[best] = row, scores[row]
            strengths[best], shares[best], votes[best] = strength, weight, strength
        else:
            strengths[best] += strength
            shares[best] += weight
            # Moving means, which leave equal values exactly as they are.
            part = strength / strengths[best]
            turns = math.floor((boxes[row, 6] - fused[best, 6]) / math.pi + 0.5)
            fused[best, 6] += part * (boxes[row, 6] - fused[best, 6] - turns * math.pi)
            votes[best] += strength if turns % 2 == 0 else -strength
            for d in range(width):
                if d != 6:
                    fused[best, d] += part * (boxes[row, d] - fused[best, d])
            means[best] += weight / shares[best] * (scores[row] - means[best])
        has[best, source] = True
    total = weights.sum()
    for k in range(count):
        means[k] *= min(shares[k] / total, 1.0)
        if votes[k] < 0.0:
            fused[k, 6] += math.pi if fused[k, 6] < 0.0 else -math.pi
    return count
