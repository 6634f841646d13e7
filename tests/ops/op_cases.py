"""Inputs of the official goldens, and of the comparisons with the reference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from golden import inp
from torch import Tensor


def dcnv3_golden(name: str, case: dict) -> tuple[list[Tensor], Tensor, dict]:
    """[input, offset, mask], the output's gradient, and the arguments of a golden case of dcnv3."""
    points = case["kernel"] ** 2 - case["remove_center"]
    channels = case["group"] * case["group_channels"]
    pixels = (case["N"], case["H_out"], case["W_out"])
    tensors = [
        inp(f"dcnv3_op/{name}/input", (case["N"], case["H"], case["W"], channels)),
        case["offset_std"] * inp(f"dcnv3_op/{name}/offset", (*pixels, case["group"] * points * 2)),
        inp(f"dcnv3_op/{name}/mask", (*pixels, case["group"] * points)),
    ]
    arguments = {
        "kernel_size": case["kernel"],
        "stride": case["stride"],
        "padding": case["pad"],
        "dilation": case["dilation"],
        "groups": case["group"],
        "offset_scale": case["offset_scale"],
        "remove_center": bool(case["remove_center"]),
    }
    return tensors, inp(f"dcnv3_op/{name}/grad_output", (*pixels, channels)), arguments


def msda_golden(name: str, case: dict) -> tuple[list[Tensor], Tensor, list[list[int]]]:
    """[value, locations, weights], the output's gradient, and the level sizes of a golden case of ms_deform_attn."""
    shapes, levels, points = case["spatial_shapes"], len(case["spatial_shapes"]), case["num_points"]
    batch, queries, heads, depth = case["bs"], case["num_query"], case["heads"], case["head_dim"]
    logits = inp(f"msda/{name}/weight_logits", (batch, queries, heads, levels * points))
    tensors = [
        inp(f"msda/{name}/value", (batch, sum(h * w for h, w in shapes), heads, depth)),
        0.5 + 0.4 * inp(f"msda/{name}/loc", (batch, queries, heads, levels, points, 2)),
        logits.softmax(-1).view(batch, queries, heads, levels, points),
    ]
    return tensors, inp(f"msda/{name}/grad_output", (batch, queries, heads * depth)), shapes


def run(function: Callable[..., Tensor], tensors: list[Tensor], grad_output: Tensor) -> list[Tensor]:
    """Output of `function`, and the gradients of its tensors."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    output = function(*leaves)
    return [output.detach(), *torch.autograd.grad(output, leaves, grad_output)]


def random_dcnv3(
    images: int,
    size: tuple[int, int],
    groups: int,
    depth: int,
    dtype: torch.dtype = torch.float64,
    spread: float = 1.5,
    seed: int = 0,
    **window: object,
) -> tuple[list[Tensor], dict]:
    """[input, offset, mask] that fit a window, and the arguments; `spread` is the offsets' standard deviation."""
    generator = torch.Generator().manual_seed(seed)
    arguments = {"kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1, "groups": groups, **window}
    pairs = [arguments[key] for key in ("kernel_size", "stride", "padding", "dilation")]
    pairs = [(pair, pair) if isinstance(pair, int) else pair for pair in pairs]
    (kernel_h, kernel_w), _, _, _ = pairs
    out = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, *pairs, strict=True)]
    points = groups * (kernel_h * kernel_w - int(arguments.get("remove_center", False)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    tensors = [
        normal(images, *size, groups * depth),
        spread * normal(images, *out, 2 * points),
        normal(images, *out, points),
    ]
    return tensors, arguments


def random_msda(
    batch: int,
    queries: int,
    heads: int,
    depth: int,
    shapes: list[tuple[int, int]],
    points: int,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> list[Tensor]:
    """[value, locations, weights]; a third of the locations lies outside."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    return [
        normal(batch, sum(h * w for h, w in shapes), heads, depth),
        0.5 + 0.4 * normal(batch, queries, heads, len(shapes), points, 2),
        normal(batch, queries, heads, len(shapes), points),
    ]


def random_bca(
    rows: list[int],
    queries: int,
    heads: int,
    depth: int,
    shapes: list[tuple[int, int]],
    points: int,
    anchors: int,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> tuple[list[Tensor], list[Tensor]]:
    """[values, offsets, weights] and [shapes, splits, reference_points, visible] of samples with `rows` cameras each.

    Half of the pairs of camera and query are unseen, and so is the first query; some points lie outside.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    cameras, batch, levels = sum(rows), len(rows), len(shapes)
    tensors = [
        normal(cameras, sum(h * w for h, w in shapes), heads, depth),
        1.5 * normal(batch, queries, heads, levels, points, 2),
        normal(batch, queries, heads, levels, points),
    ]
    visible = torch.rand(cameras, queries, generator=generator) < 0.5
    visible[:, :1] = False
    splits = torch.tensor([0, *rows]).cumsum(0)
    return tensors, [torch.tensor(shapes), splits, 0.5 + 0.4 * normal(cameras, queries, anchors, 2), visible]
