"""Deformable convolution v3 in plain PyTorch.

Shape glossary: N images, H x W input pixels, Ho x Wo output pixels, G groups, D channels per group, P points.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from bev_ops.dcnv3.arguments import IntPair, Window, make_window
from torch import Tensor


def _points(window: Window, like: Tensor) -> tuple[Tensor, Tensor]:
    """Undisplaced x and y of each point relative to the window's centre, (P,) each, in pixels; x-major."""
    axes = []
    for size, dilation in zip(window.kernel_size, window.dilation, strict=True):
        steps = torch.arange(size, device=like.device, dtype=like.dtype)
        axes.append((steps * dilation - dilation * (size - 1) // 2) * window.offset_scale)
    y, x = axes
    x, y = (axis.flatten() for axis in torch.meshgrid(x, y, indexing="ij"))
    if window.remove_center:
        keep = torch.arange(len(x), device=like.device) != len(x) // 2
        x, y = x[keep], y[keep]
    return x, y


def _centres(window: Window, axis: int, count: int, like: Tensor) -> Tensor:
    """Window centres along an axis (0 height, 1 width), (count,), in input pixels."""
    first = window.dilation[axis] * (window.kernel_size[axis] - 1) // 2 - window.padding[axis]
    return torch.arange(count, device=like.device, dtype=like.dtype) * window.stride[axis] + first


def _to_grid(position: Tensor, size: int) -> Tensor:
    """Pixel positions to grid_sample's [-1, 1]; what lies outside, and NaN, goes to a fixed place outside."""
    inside = (position >= -1) & (position < size)
    return (2 * torch.where(inside, position, -2) + 1) / size - 1


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
    """Deformable convolution v3 through `grid_sample`; see `bev_ops.functional.dcnv3`."""
    return sample(
        input, offset, mask, make_window(kernel_size, stride, padding, dilation, groups, offset_scale, remove_center)
    )


def sample(input: Tensor, offset: Tensor, mask: Tensor, window: Window) -> Tensor:
    """Deformable convolution v3 of an input (N, H, W, C), with the other arguments of `dcnv3` gathered in `window`."""
    height_out, width_out = window.check(input, offset, mask)
    images, height, width, channels = input.shape
    groups, points = window.groups, window.points
    depth = channels // groups

    x_point, y_point = _points(window, offset)
    shift = offset.reshape(images, height_out, width_out, groups, points, 2) * window.offset_scale
    x = shift[..., 0] + x_point + _centres(window, 1, width_out, offset).view(-1, 1, 1)
    y = shift[..., 1] + y_point + _centres(window, 0, height_out, offset).view(-1, 1, 1, 1)
    grid = torch.stack((_to_grid(x, width), _to_grid(y, height)), dim=-1)
    grid = grid.permute(0, 3, 1, 2, 4, 5).reshape(images * groups, height_out * width_out, points, 2)

    maps = input.reshape(images, height, width, groups, depth).permute(0, 3, 4, 1, 2)
    sampled = F.grid_sample(maps.reshape(images * groups, depth, height, width), grid, align_corners=False)
    weights = mask.reshape(images, height_out * width_out, groups, points).transpose(1, 2)
    output = (sampled * weights.reshape(images * groups, 1, height_out * width_out, points)).sum(-1)
    output = output.view(images, groups, depth, height_out, width_out).permute(0, 3, 4, 1, 2)
    return output.reshape(images, height_out, width_out, channels)
