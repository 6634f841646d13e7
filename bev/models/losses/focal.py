"""Focal loss on sigmoid classification (Lin et al., arXiv 1708.02002), as a loss and as a matching cost.

Shapes: Q queries, K classes, M targets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Initial bias of class logits: everything starts as background with probability 0.99, so that the first steps are not
# spent on silencing empty places (RetinaNet, arXiv 1708.02002, section 4.1).
PRIOR_LOGIT = math.log(0.01 / 0.99)


@dataclass(frozen=True)
class FocalLoss:
    """Weighted sigmoid focal loss.

    Attributes:
        alpha: Weight of a positive; a negative weighs 1 - alpha.
        gamma: Exponent that fades out what is already classified well.
        weight: Factor of the loss and of the matching cost.
    """

    alpha: float = 0.25
    gamma: float = 2.0
    weight: float = 2.0

    def __call__(self, logits: Tensor, positive: Tensor) -> Tensor:
        """Loss per element.

        Args:
            logits: (..., K).
            positive: (..., K) bool; or float from 0 to 1, how far each is a positive.

        Returns:
            (..., K).
        """
        as_positive, as_negative = self._terms(logits)
        if positive.is_floating_point():
            return torch.lerp(as_negative, as_positive, positive)
        return torch.where(positive, as_positive, as_negative)

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What it costs to call a query positive for a target's class instead of background.

        Args:
            logits: (..., Q, K).
            labels: (M,) int64 in [0, K).

        Returns:
            (..., Q, M).
        """
        as_positive, as_negative = self._terms(logits[..., labels])
        return as_positive - as_negative

    def _terms(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        probability = logits.sigmoid()
        as_positive = self.weight * self.alpha * (1 - probability) ** self.gamma * F.softplus(-logits)
        as_negative = self.weight * (1 - self.alpha) * probability**self.gamma * F.softplus(logits)
        return as_positive, as_negative
