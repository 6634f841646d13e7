"""From queries to boxes, without non-maximum suppression.

Shapes: Q queries, K classes, P detections.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from bev.geometry.boxes import decode_boxes
from bev.structures.boxes import boxes_of_gravity


def decode_detections(
    logits: Tensor,
    codes: Tensor,
    max_num: int,
    centre_range: Sequence[float] | None = None,
    score_threshold: float | None = None,
) -> InstanceData:
    """Takes the best (query, class) pairs of one sample; a query may give several detections of different classes.

    Args:
        logits: (Q, K).
        codes: (Q, 10), metres.
        max_num: Most detections.
        centre_range: (x, y, z minima, maxima), metres; detections whose gravity centre is outside are dropped.
        score_threshold: Detections that don't exceed it are dropped.

    Returns:
        `bboxes_3d` (P boxes, bottom centre, with velocity), `scores_3d` (P,) descending, `labels_3d` (P,).

    Raises:
        FloatingPointError: The predictions are not finite.
    """
    if not (torch.isfinite(logits).all() and torch.isfinite(codes).all()):
        raise FloatingPointError(
            "the detection head's predictions are not finite: check the weights and the input images"
        )
    num_classes = logits.shape[-1]
    scores, order = logits.float().sigmoid().flatten().topk(min(max_num, logits.numel()))
    labels = order % num_classes
    boxes = decode_boxes(codes.float()[order // num_classes])
    kept = torch.ones_like(scores, dtype=torch.bool)
    if centre_range is not None:
        low, high = boxes.new_tensor(centre_range).view(2, 3)
        kept &= ((boxes[:, :3] >= low) & (boxes[:, :3] <= high)).all(-1)
    if score_threshold is not None:
        kept &= scores > score_threshold
    return InstanceData(bboxes_3d=boxes_of_gravity(boxes[kept]), scores_3d=scores[kept], labels_3d=labels[kept])
