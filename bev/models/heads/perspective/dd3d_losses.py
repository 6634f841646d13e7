"""Losses of the DD3D head (arXiv 2108.06417, section 3.3, and BEVFormer v2's code for attributes and speeds).

Shapes: D positive places, K classes, R places of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from bev.models.heads.perspective.assignment import Assignment
from bev.models.heads.perspective.camera_boxes import CameraBoxes
from bev.models.heads.perspective.objects import ImageObjects
from bev.models.losses import FocalLoss, mean_over_ranks
from bev.structures.attributes import NO_ATTRIBUTE


@dataclass(frozen=True)
class PositivePredictions:
    """What the head says at the positive places.

    Attributes:
        distances: (D, 4) to the sides of the outline, pixels.
        centredness: (D,) logits.
        boxes: Of the object's class.
        confidences: (D,) logits.
        attributes: (D, 3) logits.
        speeds: (D,) metres per second.
    """

    distances: Tensor
    centredness: Tensor
    boxes: CameraBoxes
    confidences: Tensor
    attributes: Tensor
    speeds: Tensor


@dataclass(frozen=True)
class DD3DLoss:
    """Weights and options; call it for the losses.

    Attributes:
        box_weight: Factor of the four 3D losses.
        confidence_weight: Factor of the confidence's loss.
        confidence_temperature: Metres of corner error at which the confidence to learn is 1 / e.
        beta: Where smooth L1 turns linear: metres, for corners, and metres per second.
        max_corner_loss: Limit of a corner coordinate's loss.
        attribute_weight: Factor of the attribute loss.
        speed_weight: Factor of the speed loss.
        as_published: Repeat what the published code computes instead of what it means: no limit, a smooth L1 that jumps
            at beta, and attribute losses that are meaned instead of weighted by centredness.
    """

    box_weight: float = 2.0
    confidence_weight: float = 1.0
    confidence_temperature: float = 1.0
    beta: float = 0.05
    max_corner_loss: float = 20.0
    attribute_weight: float = 0.2
    speed_weight: float = 0.2
    as_published: bool = False

    def __call__(
        self, logits: Tensor, predicted: PositivePredictions, assignment: Assignment, objects: ImageObjects
    ) -> dict[str, Tensor]:
        """All losses, those of places divided by how many learn an object, those of boxes weighted by centredness.

        Args:
            logits: (R, K) class logits of all places.
            predicted: At the D positive places.
            assignment: Which they are.
            objects: Ground truth.
        """
        targets = assignment.objects
        weights = assignment.centredness
        num_places = mean_over_ranks(len(targets), logits.device)
        total_weight = _sum_over_ranks(weights)
        positive = torch.zeros_like(logits, dtype=torch.bool)
        positive[assignment.places, objects.labels[targets]] = True
        class_loss = FocalLoss(alpha=0.25, gamma=2.0, weight=1.0)(logits, positive)
        overlap = generalised_iou_loss(predicted.distances, assignment.distances)
        centredness = F.binary_cross_entropy_with_logits(predicted.centredness, weights, reduction="sum")
        return {
            "loss_cls": class_loss.sum() / num_places,
            "loss_box2d_reg": (overlap * weights).sum() / total_weight,
            "loss_centerness": centredness / num_places,
            **self._box_losses(predicted, objects.boxes[targets], weights, total_weight),
            "loss_attr": self._attribute_loss(predicted.attributes, objects.attributes[targets], weights),
            "loss_speed": self._speed_loss(predicted.speeds, objects.speeds[targets], weights),
        }

    def _box_losses(
        self, predicted: PositivePredictions, target: CameraBoxes, weights: Tensor, total_weight: Tensor
    ) -> dict[str, Tensor]:
        """Corner distances with one part of the box predicted and the others true, and the loss of the confidence."""
        target_corners = target.corners()
        losses = {}
        parts = {"quat": "rotations", "proj_ctr": "centres", "depth": "depths", "size": "sizes"}
        for name, part in parts.items():
            corners = replace(target, **{part: getattr(predicted.boxes, part)}).corners()
            per_box = self._smooth_l1(corners - target_corners).flatten(1).mean(1)
            losses[f"loss_box3d_{name}"] = self.box_weight * (per_box * weights).sum() / total_weight
        error = (predicted.boxes.corners() - target_corners).detach().abs().flatten(1).mean(1)
        confidence = torch.exp(-error / self.confidence_temperature)
        per_box = F.binary_cross_entropy_with_logits(predicted.confidences, confidence, reduction="none")
        losses["loss_conf3d"] = self.confidence_weight * (per_box * weights).sum() / total_weight
        return losses

    def _smooth_l1(self, difference: Tensor) -> Tensor:
        size = difference.abs()
        if self.as_published:
            return torch.where(size < self.beta, 0.5 * size**2, size - 0.5 * self.beta)
        return F.smooth_l1_loss(size, torch.zeros_like(size), beta=self.beta, reduction="none").clamp(
            max=self.max_corner_loss
        )

    def _attribute_loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        known = targets != NO_ATTRIBUTE
        per_place = F.cross_entropy(logits[known], targets[known], reduction="none")
        if self.as_published:
            per_place = per_place.mean().expand_as(per_place) if len(per_place) else per_place
        return self.attribute_weight * (per_place * weights[known]).sum() / _sum_over_ranks(weights[known])

    def _speed_loss(self, speeds: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        known = targets.isfinite()
        per_place = F.smooth_l1_loss(speeds[known], targets[known], beta=self.beta, reduction="none")
        return self.speed_weight * (per_place * weights[known]).sum() / _sum_over_ranks(weights[known])


def generalised_iou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - GIoU of outlines around common points (arXiv 1902.09630), areas smoothed by one square pixel as in FCOS.

    Args:
        predicted: (D, 4) distances to left, top, right, bottom, not negative.
        target: (D, 4).

    Returns:
        (D,).
    """
    smaller, larger = torch.minimum(predicted, target), torch.maximum(predicted, target)
    intersection, hull = _area(smaller), _area(larger)
    union = _area(predicted) + _area(target) - intersection
    overlap = (intersection + 1) / (union + 1)
    return 1 - overlap + (hull - union) / hull


def _area(distances: Tensor) -> Tensor:
    left, top, right, bottom = distances.unbind(-1)
    return (left + right) * (top + bottom)


def _sum_over_ranks(weights: Tensor) -> Tensor:
    """Mean over all training processes of the sum of the weights, at least 1e-6."""
    return mean_over_ranks(weights.sum(), minimum=1e-6)
