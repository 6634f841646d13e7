"""Box suppression, after `mmcv/ops/nms.py`: the greedy one served by torchvision, the soft one by NumPy."""

from __future__ import annotations

import numpy as np
import torch
import torchvision
from torch import Tensor

from bev.compat.mmcv_ext._autograd import widen

LINEAR, GAUSSIAN = 1, 2  # mmcv's codes for how an overlap lowers a score; 0 drops the box


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy non-maximum suppression.

    Args:
        bboxes: (M, 4) left, top, right, bottom in pixels.
        scores: (M,).
        iou_threshold: a box is dropped when it overlaps a better one by more than this.
        offset: 0 or 1; 1 measures width as `right - left + 1`, as if the right and bottom pixels were inside.

    Returns:
        (K,) int64 indices of the boxes that stay, best first.
    """
    corners = widen(bboxes)
    if offset:
        corners = corners + corners.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(corners, widen(scores), iou_threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft non-maximum suppression (https://arxiv.org/abs/1704.04503): overlaps lower scores instead of dropping boxes.

    Args:
        boxes: (M, 4) left, top, right, bottom in pixels, on the CPU.
        scores: (M,).
        dets: (M, 5), of which the first K rows become the boxes that stay, with their lowered scores.
        iou_threshold: overlap from which methods 0 and 1 take effect.
        sigma: width of the Gaussian of method 2.
        min_score: a box is dropped when its score is below this; the best one of all stays.
        method: 0 drops boxes, 1 lowers scores linearly, 2 by a Gaussian of the overlap.
        offset: as in `nms`.

    Returns:
        (K,) int64 indices of the boxes that stay, best first.
    """
    corners = boxes.detach().double().numpy().copy()
    corners[:, 2:] += offset
    left = scores.detach().double().numpy().copy()
    areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    waiting = np.arange(len(left))
    kept: list[int] = []
    while len(waiting):
        best = int(waiting[left[waiting].argmax()])
        dets[len(kept), :4], dets[len(kept), 4] = boxes[best], left[best]
        kept.append(best)
        waiting = waiting[waiting != best]
        left[waiting] *= _factors(_overlaps(corners, areas, best, waiting), iou_threshold, sigma, method)
        waiting = waiting[left[waiting] >= min_score]
    return torch.tensor(kept, dtype=torch.int64)


def _overlaps(corners: np.ndarray, areas: np.ndarray, best: int, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with others."""
    sides = np.minimum(corners[others, 2:], corners[best, 2:]) - np.maximum(corners[others, :2], corners[best, :2])
    common = sides.clip(min=0).prod(1)
    return common / (areas[others] + areas[best] - common)


def _factors(overlaps: np.ndarray, iou_threshold: float, sigma: float, method: int) -> np.ndarray:
    """What the scores of boxes with these overlaps are multiplied by."""
    if method == GAUSSIAN:
        return np.exp(-(overlaps**2) / sigma)
    return np.where(overlaps < iou_threshold, 1.0, 1.0 - overlaps if method == LINEAR else 0.0)
