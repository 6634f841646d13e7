"""Fused functions on the last axis of a tensor.

Shape glossary: ... any leading axes, whose entries are called rows; C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, cast

import torch
import torch.nn.functional as F
from bev_ops._autograd import has_tangent, is_transformed, refuse_second_derivative
from bev_ops._dtypes import compute_dtype
from bev_ops._library import HAS_SCHEMAS, is_compiled
from bev_ops.linear import Linear, linear
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

FLOATING = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
NUMBERS_AT_A_TIME = 1 << 18  # of a chunk of rows: with an MLP's hidden layer, what the second-level caches hold


def linear_gelu(x: Tensor, layer: nn.Module) -> Tensor:
    """GELU of a linear layer.

    Args:
        x: (..., C).
        layer: `torch.nn.Linear` or `bev_ops.modules.Linear`; whatever else stands there, and layers with hooks or a
            `forward` of their own, are called as they are.

    Returns:
        (..., D), of the type that `layer` gives.
    """
    if type(layer) in (nn.Linear, Linear) and have_no_hooks(layer) and serves(x, weight := cast(Tensor, layer.weight)):
        return torch.ops.bev_ops.gelu(linear(x, weight), layer.bias)
    return F.gelu(layer(x))


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, gelu: bool = False) -> Tensor:
    """Layer norm over the last axis of (..., C), then GELU if wanted.

    Args:
        x: (..., C).
        weight: (C,).
        bias: (C,).
        eps: added to the variance.
        gelu: apply GELU to the result.

    Returns:
        (..., C).
    """
    known = (x.dtype, compute_dtype(x.dtype))
    fit = weight.shape == bias.shape == x.shape[-1:] and weight.dtype in known and bias.dtype in known
    if fit and serves(x, weight, bias):
        return torch.ops.bev_ops.layer_norm(x, weight, bias, eps, gelu)
    y = F.layer_norm(x, weight.shape, weight, bias, eps)
    return F.gelu(y) if gelu else y


def add_branch(x: Tensor, branch: Tensor, scale: Tensor | None = None) -> Tensor:
    """A residual connection, x + scale * branch.

    Args:
        x: (..., C).
        branch: (..., C), or whatever else can be added to `x`.
        scale: (C,), or whatever else `branch` can be multiplied by; 1 by default.

    Returns:
        (..., C), of the type that the three promote to; under autocast they may differ.
    """
    given = (x, branch) if scale is None else (x, branch, scale)
    fit = x.dim() > 0 and x.shape == branch.shape and (scale is None or scale.shape == x.shape[-1:])
    if fit and serves(*given):
        dtype = reduce(torch.promote_types, (tensor.dtype for tensor in given))
        return torch.ops.bev_ops.add_branch(x.to(dtype), branch.to(dtype), scale)
    return x + (branch if scale is None else scale * branch)


def softmax(logits: Tensor) -> Tensor:
    """Softmax over the last axis, fast where that is short, as with the points of a sampling operator.

    Args:
        logits: (..., C), any floating point type; exponentials and sums are in float32, or float64 for float64.

    Returns:
        (..., C), of the same type.
    """
    suitable = logits.dtype in FLOATING and logits.dim() > 0 and _has_kernels(logits)
    if suitable and not is_transformed() and not has_tangent(logits) and is_compiled(logits.device):
        return torch.ops.bev_ops.softmax(logits)
    return logits.softmax(-1)


def by_rows(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x), for a function that maps each row by itself and keeps the shape.

    In inference on the CPU it gets a chunk of rows (R, C) at a time, so that what it computes in between stays in the
    caches. Elsewhere it gets the whole of `x`.

    Args:
        function: maps (..., C) to (..., C).
        x: (..., C).

    Returns:
        (..., C).
    """
    if torch.is_grad_enabled() or not serves(x) or x.numel() <= NUMBERS_AT_A_TIME:
        return function(x)
    rows = x.reshape(-1, x.shape[-1])
    chunks = -(-len(rows) // max(NUMBERS_AT_A_TIME // x.shape[-1], 1))
    first, *others = rows.tensor_split(chunks)
    result = function(first)
    output = result.new_empty(rows.shape)
    targets = output.tensor_split(chunks)
    targets[0].copy_(result)
    for source, target in zip(others, targets[1:], strict=True):
        target.copy_(function(source))
    return output.view(x.shape)


def serves(*tensors: Tensor) -> bool:
    """Whether the functions without gradients may be used."""
    if torch.compiler.is_compiling() or (torch.is_grad_enabled() and any(t.requires_grad for t in tensors)):
        return False
    if is_transformed() or has_tangent(*tensors):
        return False
    return all(t.dtype in FLOATING and _has_kernels(t) for t in tensors) and is_compiled(tensors[0].device)


def have_no_hooks(*layers: nn.Module) -> bool:
    """Whether nothing happens but the work of the layers' classes when they are called: only then may another do it."""
    own = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return not _has_any_global_hook() and not any(
        "forward" in vars(layer) or any(getattr(layer, name) for name in own) for layer in layers
    )


def _has_kernels(tensor: Tensor) -> bool:
    if type(tensor) not in (Tensor, nn.Parameter) and not torch.compiler.is_exporting():
        return False  # subclasses may know PyTorch's functions only; exporting makes fake tensors of all others
    return tensor.device.type == "cpu"


def _fake(first: Tensor, *arguments: object) -> Tensor:
    return torch.empty_like(first, memory_format=torch.contiguous_format)


def _save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(output)


def _backward(ctx: Any, grad: Tensor) -> Tensor:
    return torch.ops.bev_ops.softmax_backward(grad, *ctx.saved_tensors)


def _register() -> None:
    for op in ("gelu", "layer_norm", "add_branch", "softmax", "softmax_backward"):
        torch.library.register_fake(f"bev_ops::{op}", _fake)
    torch.library.register_autograd("bev_ops::softmax", _backward, setup_context=_save)
    refuse_second_derivative("softmax")


if HAS_SCHEMAS:
    _register()
