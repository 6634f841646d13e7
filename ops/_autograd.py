"""What the operators' autograd formulas share."""

from __future__ import annotations

import warnings
from typing import NoReturn

import torch
from torch import Tensor
from torch.autograd import forward_ad


def refuse_second_derivative(op: str) -> None:
    """Make differentiating the gradients of `op` an error instead of silently wrong."""

    def backward(ctx: object, *grads: object) -> NoReturn:
        raise NotImplementedError(f"bev_ops.{op} has no second derivative")

    torch.library.register_autograd(f"bev_ops::{op}_backward", backward)


def has_tangent(*tensors: Tensor) -> bool:
    """Whether forward-mode differentiation (`torch.func.jvp`) goes through one of the tensors."""
    if torch.compiler.is_compiling():
        return False
    return any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors)


def refuse_tangents(op: str, *tensors: Tensor) -> None:
    """Make forward-mode differentiation of `op` an error instead of a derivative of 0."""
    if has_tangent(*tensors):
        raise NotImplementedError(f"bev_ops.{op} has no forward-mode derivative; take torch.func.vjp or backward()")


def alert_not_deterministic(op: str, grad: Tensor) -> None:
    """Treat a backward pass on CUDA as PyTorch treats its own whose sums have no fixed order.

    Raises:
        RuntimeError: Under `torch.use_deterministic_algorithms(True)`; with `warn_only=True` it is a warning.
    """
    if not grad.is_cuda or not torch.are_deterministic_algorithms_enabled():
        return
    message = (
        f"bev_ops.{op}'s gradient on CUDA is added up in no fixed order; "
        "torch.use_deterministic_algorithms(True, warn_only=True) allows it"
    )
    if not torch.is_deterministic_algorithms_warn_only_enabled():
        raise RuntimeError(message)
    warnings.warn(message, stacklevel=2)
