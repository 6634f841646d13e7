"""Sigmoid focal loss, after `mmcv/ops/focal_loss.py`, in plain PyTorch.

With z = x for the class of the target and z = -x for every other class, p = sigmoid(z), and a = alpha for the class
of the target and 1 - alpha for the others, the loss is -a (1 - p)^gamma log p (eq. 5 of
https://arxiv.org/abs/1708.02002) and its derivative by z is -a (1 - p)^gamma (1 - p - gamma p log p).

Shapes: M samples, C classes. A target of C is background: it is no class's target.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def _factors(
    input: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns sign (z = sign * x), z, and the factor a (1 - p)^gamma times the class weight, each (M, C)."""
    classes = torch.arange(input.size(1), device=input.device)
    positive = (target[:, None] == classes).to(input.dtype)
    sign = 2 * positive - 1
    logits = sign * input
    balance = alpha * positive + (1 - alpha) * (1 - positive)
    factor = balance * torch.sigmoid(-logits) ** gamma
    if weight.numel():
        # Background has no weight of its own and counts 1.
        factor = factor * torch.cat([weight, weight.new_ones(1)])[target][:, None]
    return sign, logits, factor


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """Writes each logit's loss to `output`.

    Args:
        input: (M, C) logits.
        target: (M,) int64 class, C for background.
        weight: (C,) weight of the samples of each class, or empty.
        output: (M, C), written.
        gamma: how much well-classified samples count less.
        alpha: weight of the target's class; the others get 1 - alpha.
    """
    _, logits, factor = _factors(input, target, weight, gamma, alpha)
    output.copy_(-factor * F.logsigmoid(logits))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, *, gamma: float, alpha: float
) -> None:
    """Writes the derivative of each logit's loss to `grad_input` (M, C); the arguments are those of forward."""
    sign, logits, factor = _factors(input, target, weight, gamma, alpha)
    probability = torch.sigmoid(logits)
    slope = torch.sigmoid(-logits) - gamma * probability * F.logsigmoid(logits)
    grad_input.copy_(-sign * factor * slope)
