"""Generalised intersection over union of boxes in an image, as a loss and as a matching cost (arXiv 1902.09630).

Shapes: Q queries, M targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_convert, generalized_box_iou_loss

# Below the area of any box: boxes are in fractions of the image, where torchvision's own limit would count.
SMALLEST_AREA = 1e-12


@dataclass(frozen=True)
class BoxOverlap:
    """Weighted 1 - GIoU of boxes (centre x, y, width, height); the unit of the two axes doesn't matter.

    Attributes:
        weight: Factor of the loss and of the matching cost.
    """

    weight: float = 1.0

    def __call__(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Loss per box: two tensors that broadcast to (..., 4), to (...)."""
        corners = (box_convert(boxes, "cxcywh", "xyxy") for boxes in torch.broadcast_tensors(predicted, target))
        return self.weight * generalized_box_iou_loss(*corners, eps=SMALLEST_AREA)

    def cost(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Cost of every query for every target: (..., Q, 4) and (M, 4) to (..., Q, M)."""
        return self(predicted.unsqueeze(-2), target)
