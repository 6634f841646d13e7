"""Box suppression, after `mmcv/ops/nms.py`, served by torchvision."""

from __future__ import annotations

import torchvision
from torch import Tensor

from bev.compat.mmcv_ext._autograd import widen


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
