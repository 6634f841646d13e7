"""What people run today where there is no compiled kernel, in plain PyTorch: what the operators are compared with.

Shape glossary: N images, H x W pixels, G groups, D channels per group, P points; B samples, R cameras of all samples, S
pixels of all levels, Q queries, L levels, Z reference points of a query, K most queries that one camera sees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from bev_ops.functional import ms_deform_attn
from torch import Tensor


def official_style_dcnv3(input: Tensor, offset: Tensor, mask: Tensor, kernel: int, padding: int, groups: int) -> Tensor:
    """DCNv3 as InternImage's own PyTorch path computes it, for stride, dilation and offset scale 1.

    The image is padded for real; reference points, window and offsets are added up in fractions of the padded image and
    go through `grid_sample`.

    Args:
        input: (N, H, W, G * D).
        offset: (N, H, W, G * P * 2), x before y, pixels.
        mask: (N, H, W, G * P).
        kernel: Side of the window.
        padding: Pixels on each side.
        groups: G.

    Returns:
        (N, H, W, G * D).
    """
    input = F.pad(input, (0, 0, padding, padding, padding, padding))
    images, height, width, channels = input.shape
    rows, columns = offset.shape[1:3]
    half, points, depth = kernel // 2, kernel * kernel, channels // groups
    size = input.new_tensor([width, height])

    y, x = torch.meshgrid(torch.arange(rows).to(input), torch.arange(columns).to(input), indexing="ij")
    centres = (torch.stack((x, y), -1) + half + 0.5).view(1, rows, columns, 1, 2) / size
    steps = torch.arange(-half, kernel - half).to(input)
    window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).view(points, 2) / size
    window = window.repeat(groups, 1)
    locations = (centres + window).repeat(images, 1, 1, 1, 1).flatten(3) + offset / size.repeat(groups * points)

    grid = (2 * locations - 1).view(images, rows * columns, groups, points, 2).transpose(1, 2).flatten(0, 1)
    maps = input.view(images, height * width, channels).transpose(1, 2)
    maps = maps.reshape(images * groups, depth, height, width)
    sampled = F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    weights = mask.view(images, rows * columns, groups, points).transpose(1, 2)
    output = (sampled * weights.reshape(images * groups, 1, rows * columns, points)).sum(-1)
    return output.view(images, channels, rows * columns).transpose(1, 2).reshape(images, rows, columns, -1).contiguous()


def mmcv_style_ms_deform_attn(
    value: Tensor, shapes: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Deformable attention as mmcv's PyTorch fallback computes it: all levels' samples side by side, then one sum.

    Args:
        value: (B, S, G, D), G heads.
        shapes: Height and width of each level.
        locations: (B, Q, G, L, P, 2), fractions of the levels.
        weights: (B, Q, G, L, P).

    Returns:
        (B, Q, G * D).
    """
    batch, _, heads, depth = value.shape
    queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
    sampled = []
    for level, maps in enumerate(value.split([height * width for height, width in shapes], dim=1)):
        image = maps.flatten(2).transpose(1, 2).reshape(batch * heads, depth, *shapes[level])
        grid = (2 * locations[:, :, :, level] - 1).transpose(1, 2).flatten(0, 1)
        sampled.append(F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    factors = weights.transpose(1, 2).reshape(batch * heads, 1, queries, levels * points)
    output = (torch.stack(sampled, dim=-2).flatten(-2) * factors).sum(-1)
    return output.view(batch, heads * depth, queries).transpose(1, 2).contiguous()


def rebatched_cross_attention(
    values: Tensor,
    shapes: list[tuple[int, int]],
    splits: Tensor,
    reference_points: Tensor,
    visible: Tensor,
    offsets: Tensor,
    weights: Tensor,
    attend: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Spatial cross-attention as BEVFormer computes it: each camera's queries are gathered and padded to one count.

    Args as for `bev_ops.functional.bev_cross_attention`, and:
        attend: deformable attention of single cameras; `mmcv_style_ms_deform_attn` by default.
    """
    attend = attend or mmcv_style_ms_deform_attn
    device = values.device
    samples = torch.repeat_interleave(splits.diff()).to(device)
    most = int(visible.sum(1).max())
    order = visible.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :most]  # (R, K)
    filled = visible.gather(1, order)
    rows = torch.arange(len(values), device=device)[:, None]

    moved = offsets[samples[:, None], order]  # (R, K, H, L, P, 2)
    anchors = reference_points[rows, order]
    sizes = torch.tensor([(width, height) for height, width in shapes], dtype=offsets.dtype, device=device)
    steps = moved.unflatten(4, (-1, anchors.shape[2])) / sizes[:, None, None, :]
    locations = (anchors[:, :, None, None, None] + steps).flatten(4, 5).to(values.dtype)
    read = attend(values, shapes, locations, weights[samples[:, None], order])

    queries = visible.shape[1]
    target = (samples[:, None] * queries + order)[filled]
    total = read.new_zeros(len(offsets) * queries, read.shape[-1]).index_add(0, target, read[filled])
    seen = read.new_zeros(len(offsets), queries).index_add(0, samples, visible.to(read.dtype))
    return total.view(len(offsets), queries, -1) / seen.clamp(min=1)[..., None]


# Around the compiled deformable attention: what re-batching alone costs.
rebatched_with_kernel = partial(rebatched_cross_attention, attend=ms_deform_attn)
