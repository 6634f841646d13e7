"""What the operators' autograd formulas share."""

from __future__ import annotations

import warnings
from typing import NoReturn

import torch
from torch import Tensor
from torch._C._functorch import TransformType
from torch.autograd import forward_ad


def refuse_second_derivative(op: str) -> None:
    """Make differentiating the gradients of `op` an error instead of silently wrong."""

    def backward(ctx: object, *grads: object) -> NoReturn:
        raise NotImplementedError(f"bev_ops.{op} has no second derivative")

    torch.library.register_autograd(f"bev_ops::{op}_backward", backward)


def has_tangent(*tensors: Tensor) -> bool:
    """Whether forward-mode differentiation (`torch.func.jvp`) goes through one of the tensors."""
    if torch.compiler.is_compiling():
        return forward_ad._current_level >= 0  # what is traced doesn't tell which tensors
    return any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors)


def is_transformed() -> bool:
    """Whether a transform of `torch.func` is at work, for which the operators have no rules of their own."""
    return torch._C._are_functorch_transforms_active()


def knows_derivatives(op: str, *tensors: Tensor) -> bool:
    """Whether the formulas of `op` serve the derivatives that may be wanted; else the reference does.

    Raises:
        NotImplementedError: Where forward-mode differentiation goes through the tensors: neither serves that.
    """
    if has_tangent(*tensors):
        raise NotImplementedError(f"bev_ops.{op} has no forward-mode derivative; take torch.func.vjp or backward()")
    # What is traced doesn't tell which transform is at work. Where that wants gradients, tracing fails, and
    # torch.compile runs what calls it as it is, unless it is to be one graph; before torch 2.14 that is an error.
    if torch.compiler.is_compiling() or not is_transformed() or not torch.is_grad_enabled():
        return True
    kinds = [transform.key() for transform in torch._C._functorch.get_interpreter_stack() or ()]
    return TransformType.Grad not in kinds


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
