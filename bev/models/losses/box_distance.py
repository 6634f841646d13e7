"""Distance between box codes, as a loss and as a matching cost.

Shapes: Q queries, M targets, D numbers of the box code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bev.errors import InputError


@dataclass(frozen=True)
class BoxDistance:
    """Weighted L1 or smooth L1 distance.

    Attributes:
        kind: "l1" (BEVFormer, with weight 0.25) or "smooth_l1" (BEVFormer v2, with weight 0.75).
        weight: Factor of the loss and of the matching cost.
        beta: Where smooth L1 turns from quadratic to linear, in the unit of the code.
    """

    kind: Literal["l1", "smooth_l1"] = "smooth_l1"
    weight: float = 0.75
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("l1", "smooth_l1"):
            raise InputError(f"the box loss is 'l1' or 'smooth_l1', not {self.kind!r}")

    def __call__(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Loss per number: two tensors that broadcast to (..., D), to (..., D)."""
        if self.kind == "l1":
            return self.weight * (predicted - target).abs()
        predicted, target = torch.broadcast_tensors(predicted, target)
        return self.weight * F.smooth_l1_loss(predicted, target, reduction="none", beta=self.beta)

    def cost(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Distance of every query to every target: (..., Q, D) and (M, D) to (..., Q, M)."""
        if self.kind == "l1":
            return self.weight * torch.cdist(predicted, target.expand(*predicted.shape[:-2], -1, -1), p=1)
        return self(predicted.unsqueeze(-2), target).sum(-1)
