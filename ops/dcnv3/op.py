"""Deformable convolution v3 (InternImage, arXiv 2211.05778, section 3.1).

Shape glossary: N images, H x W input pixels, Ho x Wo output pixels, C channels, G groups, P points.
"""

from __future__ import annotations

from typing import Any

import torch
from bev_ops._autograd import alert_not_deterministic, knows_derivatives, refuse_second_derivative
from bev_ops._dtypes import check_dtypes, compute_dtype, match_coordinates
from bev_ops._library import HAS_SCHEMAS, is_compiled
from bev_ops.dcnv3 import reference
from bev_ops.dcnv3.arguments import IntPair, make_window
from torch import Tensor


def dcnv3(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    *,
    kernel_size: IntPair,
    stride: IntPair = 1,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    groups: int,
    offset_scale: float = 1.0,
    remove_center: bool = False,
) -> Tensor:
    """Sum of P sampled points per output pixel and group, each weighted by `mask`.

    A point samples at p0 + (k * dilation + offset) * offset_scale, bilinearly and zero outside of the image, where p0
    is the window's centre and k counts from it. Points run x-major (the outer loop is over the kernel's width). A NaN
    offset samples outside. Sizes are one integer or (height, width). 16-bit tensors are read and written as they are;
    coordinates, weights and sums are in float32.

    Args:
        input: (N, H, W, C), group g owns the channels [g * C/G, (g + 1) * C/G).
        offset: (N, Ho, Wo, G * P * 2), (x, y) per point, in pixels.
        mask: (N, Ho, Wo, G * P), any weights (the layer gives a softmax over P).
        kernel_size: window size.
        stride: step between windows.
        padding: zeros around the image.
        dilation: step between undisplaced points.
        groups: G.
        offset_scale: multiplies all distances from the window's centre.
        remove_center: leave out the centre point (odd kernels); P is one less.

    Returns:
        (N, Ho, Wo, C), of the input's type.

    Raises:
        ValueError: on arguments that don't fit each other.
    """
    check_dtypes("dcnv3", {"input": input, "offset": offset, "mask": mask})
    window = make_window(kernel_size, stride, padding, dilation, groups, offset_scale, remove_center)
    if is_compiled(input.device) and knows_derivatives("dcnv3", input, offset, mask):
        window.check(input, offset, mask)
        return torch.ops.bev_ops.dcnv3(input, *match_coordinates(input, offset, mask), *window.flat())
    dtype = compute_dtype(input.dtype)
    return reference.sample(input.to(dtype), offset.to(dtype), mask.to(dtype), window).to(input.dtype)


def _fake(input: Tensor, offset: Tensor, mask: Tensor, *arguments: object) -> Tensor:
    return input.new_empty(*offset.shape[:3], input.shape[3])


def _fake_backward(grad: Tensor, input: Tensor, offset: Tensor, mask: Tensor, *arguments: object) -> tuple[Tensor, ...]:
    return tuple(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (input, offset, mask))


def _save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.arguments = inputs[3:]


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    alert_not_deterministic("dcnv3", grad)
    grads = torch.ops.bev_ops.dcnv3_backward(grad, *ctx.saved_tensors, *ctx.arguments)
    return *grads, *(None for _ in ctx.arguments)


def _register() -> None:
    torch.library.register_fake("bev_ops::dcnv3", _fake)
    torch.library.register_fake("bev_ops::dcnv3_backward", _fake_backward)
    torch.library.register_autograd("bev_ops::dcnv3", _backward, setup_context=_save)
    refuse_second_derivative("dcnv3")


if HAS_SCHEMAS:
    _register()
