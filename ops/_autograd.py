"""What the operators' autograd formulas share."""

from __future__ import annotations

from typing import NoReturn

import torch


def refuse_second_derivative(op: str) -> None:
    """Make differentiating the gradients of `op` an error instead of silently wrong."""

    def backward(ctx: object, *grads: object) -> NoReturn:
        raise NotImplementedError(f"bev_ops.{op} has no second derivative")

    torch.library.register_autograd(f"bev_ops::{op}_backward", backward)
