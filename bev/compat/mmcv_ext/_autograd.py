"""What the stand-in's ops share: gradients on demand and arithmetic types."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def widen(tensor: Tensor) -> Tensor:
    """Returns half and bfloat16 tensors as float32: torchvision has no kernels for them on every device."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def vector_jacobian(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], grad_output: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of `(function(*inputs) * grad_output).sum()` with respect to every input.

    mmcv's autograd functions call a backward op of their own, apart from forward. Running forward again under autograd
    needs only the public functions of torchvision and `bev_ops`, and costs one more forward pass.

    Args:
        function: differentiable in each of its arguments.
        inputs: floating-point tensors; they are left as they are.
        grad_output: same shape as the output of `function`.

    Returns:
        One gradient per input, of that input's shape.
    """
    leaves = [widen(tensor.detach()).requires_grad_() for tensor in inputs]
    with torch.enable_grad():
        output = function(*leaves)
    return torch.autograd.grad(output, leaves, grad_output.to(output.dtype))
