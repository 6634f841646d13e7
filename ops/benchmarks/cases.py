"""What is measured: operators at the shapes of the models that use them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from bev_ops import functional, reference
from bev_ops.benchmarks import baselines
from torch import Tensor

# Name: images, height, width, groups, channels per group of a 3 x 3 window.
DCNV3_SHAPES = {
    **{f"T stage {s + 1}, 128x352": (6, 32 >> s, 88 >> s, 4 << s, 16) for s in range(4)},
    **{f"T stage {s + 1}, 256x704": (6, 64 >> s, 176 >> s, 4 << s, 16) for s in range(4)},
    **{f"XL stage {s + 1}, 256x704": (6, 64 >> s, 176 >> s, 12 << s, 16) for s in range(4)},
    "H stage 3, 256x704": (6, 16, 44, 40, 32),
}
PYRAMID = [(116, 200), (58, 100), (29, 50), (15, 25)]  # of a 928 x 1600 image, strides 8 to 64
# Name: batch, queries per side, heads, channels per head, levels, points.
MSDA_SHAPES = {
    "BEV cross-attention": (1, 200, 8, 32, PYRAMID, 8),
    "BEV self-attention": (2, 200, 8, 32, [(200, 200)], 4),
}
# Name: cameras, queries per side, heads, channels per head, levels, points, reference points.
BCA_SHAPES = {"BEVFormer base": (6, 200, 8, 32, PYRAMID, 8, 4)}


@dataclass(frozen=True)
class Case:
    """Tensors with gradients for one operator; `compiled`, `reference` and the baselines take them.

    Attributes:
        op: operator.
        shape: name and sizes.
        tensors: maps, positions and weights.
        compiled: the operator.
        reference: the same in plain PyTorch.
        baseline: what the field runs: the formulation of the official code, or of mmcv's fallback; for cross-attention
            re-batching around the compiled deformable attention, so that re-batching alone is compared.
        multiplications: multiply-adds of a forward pass.
    """

    op: str
    shape: str
    tensors: list[Tensor]
    compiled: Callable[..., Tensor]
    reference: Callable[..., Tensor]
    baseline: Callable[..., Tensor]
    multiplications: int


def dcnv3_cases() -> Iterator[Case]:
    """DCNv3 at the stages of InternImage."""
    for name, (images, height, width, groups, depth) in DCNV3_SHAPES.items():
        pixels = (images, height, width)
        arguments = {"kernel_size": 3, "padding": 1, "groups": groups}
        yield Case(
            "dcnv3",
            f"{name}: {images}x{height}x{width}x({groups}x{depth})",
            [
                torch.randn(*pixels, groups * depth),
                torch.randn(*pixels, groups * 9 * 2),
                torch.rand(*pixels, groups, 9).softmax(-1).flatten(-2),
            ],
            partial(functional.dcnv3, **arguments),
            partial(reference.dcnv3, **arguments),
            partial(baselines.official_style_dcnv3, kernel=3, padding=1, groups=groups),
            math.prod(pixels) * groups * 9 * 4 * depth,
        )


def msda_cases() -> Iterator[Case]:
    """Deformable attention of a square of queries, each looking near its own place."""
    for name, (batch, side, heads, depth, shapes, points) in MSDA_SHAPES.items():
        levels, queries = len(shapes), side * side
        steps = torch.arange(queries)
        centres = torch.stack((steps % side, steps // side), -1).view(1, queries, 1, 1, 1, 2) / side

        def call(function: Callable[..., Tensor], *tensors: Tensor, shapes: list = shapes) -> Tensor:
            return function(tensors[0], shapes, *tensors[1:])

        yield Case(
            "ms_deform_attn",
            f"{name}: {batch}x{queries}x({heads}x{depth}), {levels} levels x {points} points",
            [
                torch.randn(batch, sum(h * w for h, w in shapes), heads, depth),
                centres + 0.03 * torch.randn(batch, queries, heads, levels, points, 2),
                torch.rand(batch, queries, heads, levels, points),
            ],
            partial(call, functional.ms_deform_attn),
            partial(call, reference.ms_deform_attn),
            partial(call, baselines.mmcv_style_ms_deform_attn),
            batch * queries * heads * levels * points * 4 * depth,
        )


def ring_of_cameras(cameras: int, side: int, anchors: int) -> tuple[Tensor, Tensor]:
    """Where cameras around a car see the pillars of a square of 102.4 m, (N, Q, Z, 2), and which pillars, (N, Q).

    The cameras look outwards, evenly about the vertical, 1.5 m high, 70 degrees wide.
    """
    metres = (torch.arange(side) + 0.5) / side * 102.4 - 51.2
    y, x = torch.meshgrid(metres, metres, indexing="ij")
    heights = torch.linspace(-1.5, 1.5, anchors)
    yaw = torch.arange(cameras)[:, None, None] * (2 * math.pi / cameras)
    forward = x.flatten()[:, None] * yaw.cos() + y.flatten()[:, None] * yaw.sin()
    right = x.flatten()[:, None] * yaw.sin() - y.flatten()[:, None] * yaw.cos()
    focal = 0.5 / math.tan(math.radians(35))
    depth = forward.clamp(min=1e-3)
    u, v = 0.5 + focal * right / depth, 0.5 - focal * heights * (16 / 9) / depth
    points = torch.stack([u.expand_as(v), v], -1)
    inside = ((points > 0) & (points < 1)).all(-1) & (forward > 0.1)
    return points, inside.any(-1)


def bca_cases() -> Iterator[Case]:
    """Spatial cross-attention of BEVFormer's encoder, with six cameras that overlap a little."""
    for name, (cameras, side, heads, depth, shapes, points, anchors) in BCA_SHAPES.items():
        queries, levels = side * side, len(shapes)
        reference_points, visible = ring_of_cameras(cameras, side, anchors)
        fixed = {torch.device("cpu"): (shapes, torch.tensor([0, cameras]), reference_points, visible)}

        def call(function: Callable[..., Tensor], *tensors: Tensor, fixed: dict = fixed) -> Tensor:
            device = tensors[0].device
            if device not in fixed:  # moved once, not in every timed call
                first = next(iter(fixed.values()))
                fixed[device] = (*first[:2], *(tensor.to(device) for tensor in first[2:]))
            return function(tensors[0], *fixed[device], *tensors[1:])

        seen = visible.sum().item() / queries
        yield Case(
            "bev_cross_attention",
            f"{name}: {cameras} cameras, {queries}x({heads}x{depth}), {levels} levels x {points} points, "
            f"{seen:.2f} cameras a query",
            [
                torch.randn(cameras, sum(h * w for h, w in shapes), heads, depth),
                4 * torch.randn(1, queries, heads, levels, points, 2),
                torch.rand(1, queries, heads, levels, points),
            ],
            partial(call, functional.bev_cross_attention),
            partial(call, baselines.rebatched_cross_attention),
            partial(call, baselines.rebatched_with_kernel),
            int(visible.sum()) * heads * levels * points * 4 * depth,
        )


CASES = {"dcnv3": dcnv3_cases, "ms_deform_attn": msda_cases, "bev_cross_attention": bca_cases}
