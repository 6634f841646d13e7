"""Deformable convolution v1 and v2, after mmcv's `deform_conv.py` and `modulated_deform_conv.py`, by torchvision.

Shapes: B batch, I and O input and output channels, G groups, D deformable groups, kh kw kernel, h w output.
Offsets are (B, D * kh * kw * 2, h, w) in input pixels, (dy, dx) of one kernel point after the other, and masks are
(B, D * kh * kw, h, w): torchvision reads D from the shapes and has the same order as mmcv. Buffers named `columns` and
`ones` are scratch memory of mmcv's kernels and stay unused, like `im2col_step`, which splits its batches.

Papers: https://arxiv.org/abs/1703.06211, https://arxiv.org/abs/1811.11168.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torchvision.ops import deform_conv2d

from bev.compat.mmcv_ext._autograd import vector_jacobian, widen


@dataclass(frozen=True)
class _Geometry:
    """Stride, padding and dilation, each (vertical, horizontal) as torchvision takes them."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @classmethod
    def of_v1(cls, options: dict[str, Any]) -> _Geometry:
        """Reads the keyword arguments of `deform_conv_*`."""
        return cls(*((options[f"{name}H"], options[f"{name}W"]) for name in ("d", "pad", "dilation")))

    @classmethod
    def of_v2(cls, options: dict[str, Any]) -> _Geometry:
        """Reads the keyword arguments of `modulated_deform_conv_*`."""
        return cls(*((options[f"{name}_h"], options[f"{name}_w"]) for name in ("stride", "pad", "dilation")))

    def convolve(
        self, input: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Convolves (B, I, H, W) with (O, I / G, kh, kw) to (B, O, h, w)."""
        return deform_conv2d(input, offset, weight, bias, self.stride, self.padding, self.dilation, mask)


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **options: Any
) -> None:
    """Writes the convolution of (B, I, H, W) to `output` (B, O, h, w).

    Args:
        input: (B, I, H, W).
        weight: (O, I / G, kh, kw).
        offset: (B, D * kh * kw * 2, h, w).
        output: written.
        columns: unused.
        ones: unused.
        **options: dH, dW (stride), padH, padW, dilationH, dilationW; others follow from the shapes.
    """
    output.copy_(_Geometry.of_v1(options).convolve(widen(input), widen(offset), widen(weight)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **options: Any,
) -> None:
    """Writes `grad_input` and `grad_offset`; the other arguments are those of `deform_conv_forward`."""
    geometry = _Geometry.of_v1(options)
    gradients = vector_jacobian(lambda x, o: geometry.convolve(x, o, widen(weight)), [input, offset], grad_output)
    grad_input.copy_(gradients[0])
    grad_offset.copy_(gradients[1])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    **options: Any,
) -> None:
    """Adds `scale` (default 1) times the gradient to `grad_weight`; other arguments as in `deform_conv_forward`."""
    geometry = _Geometry.of_v1(options)
    # A convolution is linear in its weight, so that any weight of the right shape has this gradient.
    (gradient,) = vector_jacobian(
        lambda w: geometry.convolve(widen(input), widen(offset), w), [grad_weight], grad_output
    )
    grad_weight.add_(gradient.to(grad_weight.dtype), alpha=options.get("scale", 1))


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **options: Any,
) -> None:
    """Writes the modulated convolution of (B, I, H, W) to `output` (B, O, h, w).

    Args:
        input: (B, I, H, W).
        weight: (O, I / G, kh, kw).
        bias: (O,), or empty where `with_bias` is false.
        ones: unused.
        offset: (B, D * kh * kw * 2, h, w).
        mask: (B, D * kh * kw, h, w), weight of each sample.
        output: written.
        columns: unused.
        with_bias: whether bias is added.
        **options: stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w; others follow from the shapes.
    """
    added = widen(bias) if with_bias else None
    geometry = _Geometry.of_v2(options)
    output.copy_(geometry.convolve(widen(input), widen(offset), widen(weight), widen(mask), added))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **options: Any,
) -> None:
    """Writes the five gradients (`grad_bias` only with a bias); arguments as in `modulated_deform_conv_forward`."""
    inputs = [input, offset, weight, mask]
    targets = [grad_input, grad_offset, grad_weight, grad_mask]
    if with_bias:
        inputs.append(bias)
        targets.append(grad_bias)
    gradients = vector_jacobian(_Geometry.of_v2(options).convolve, inputs, grad_output)
    for target, gradient in zip(targets, gradients, strict=True):
        target.copy_(gradient)
