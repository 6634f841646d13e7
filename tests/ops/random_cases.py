"""Seeded random cases of each operator: shapes, windows, widths and positions at once."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from types import ModuleType

import torch
from bev_ops import reference
from op_cases import random_bca, random_dcnv3, random_msda
from torch import Tensor

WIDTHS = (*range(1, 41), 48, 64, 64, 65, 96, 127)


def dcnv3_case(seed: int) -> tuple[list[Tensor], dict]:
    """[input, offset, mask] and the window; some images, kernels and maps are as small as can be."""
    choose = random.Random(seed)
    kernel = (choose.randint(1, 4), choose.randint(1, 4))
    dilation = (choose.randint(1, 2), choose.randint(1, 2))
    padding = (choose.randint(0, 2), choose.randint(0, 2))
    needed = [max(d * (k - 1) + 1 - 2 * p, 1) for d, k, p in zip(dilation, kernel, padding, strict=True)]
    return random_dcnv3(
        choose.randint(0 if choose.random() < 0.1 else 1, 3),
        (choose.randint(needed[0], 9), choose.randint(needed[1], 9)),
        choose.randint(1, 5),
        choose.choice(WIDTHS),
        kernel_size=kernel,
        dilation=dilation,
        stride=(choose.randint(1, 3), choose.randint(1, 3)),
        padding=padding,
        offset_scale=choose.choice([0.5, 1.0, 2.0]),
        remove_center=math.prod(kernel) % 2 == 1 and choose.random() < 0.5 and kernel != (1, 1),
        spread=choose.choice([0.3, 1.5, 1.5, 10.0, 1e6]),
        seed=seed,
    )


def msda_case(seed: int) -> tuple[list[Tensor], list[tuple[int, int]]]:
    """[value, locations, weights] and the sizes of the levels."""
    choose = random.Random(seed)
    shapes = [(choose.randint(1, 6), choose.randint(1, 6)) for _ in range(choose.randint(1, 4))]
    batch, queries = choose.randint(0 if choose.random() < 0.1 else 1, 3), choose.randint(1, 9)
    tensors = random_msda(
        batch, queries, choose.randint(1, 5), choose.choice(WIDTHS), shapes, choose.randint(1, 5), seed=seed
    )
    return tensors, shapes


def bca_case(seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """[values, offsets, weights] and [shapes, splits, reference_points, visible]; some samples have no camera."""
    choose = random.Random(seed)
    shapes = [(choose.randint(1, 6), choose.randint(1, 6)) for _ in range(choose.randint(1, 3))]
    rows = [choose.randint(0, 3) for _ in range(choose.randint(1, 3))]
    anchors = choose.randint(1, 3)
    points = anchors * choose.randint(1, 3)
    heads, depth = choose.randint(1, 4), choose.choice(WIDTHS)
    return random_bca(rows, choose.randint(1, 7), heads, depth, shapes, points, anchors, seed=seed)


CASES = {"dcnv3": dcnv3_case, "ms_deform_attn": msda_case, "bev_cross_attention": bca_case}


def call(op: str, module: ModuleType, given: object, maps: Tensor, *rest: Tensor) -> Tensor:
    """An operator of `bev_ops.functional` or `bev_ops.reference` on the tensors of a case and what is given beside."""
    function: Callable[..., Tensor] = getattr(module, op)
    if op == "dcnv3":
        return function(maps, *rest, **given)  # type: ignore[arg-type]
    if op == "ms_deform_attn":
        return function(maps, given, *rest)
    shapes, splits, anchors, visible = (tensor.to(maps.device) for tensor in given)  # type: ignore[attr-defined]
    anchors = anchors.to(torch.float64 if maps.dtype == torch.float64 else torch.float32)
    return function(maps, shapes, splits, anchors, visible, *rest)


def expected(op: str, given: object, maps: Tensor, raw: Tensor, weights: Tensor) -> Tensor:
    """The reference in the type that is computed in, rounded to the maps' type."""
    wide = torch.float64 if maps.dtype == torch.float64 else torch.float32
    tensors = [tensor.to(wide) for tensor in (maps, raw, weights)]
    return call(op, reference, given, *tensors).to(maps.dtype)


def to_type(tensors: list[Tensor], maps: torch.dtype, coordinates: torch.dtype) -> list[Tensor]:
    """Tensors in these types, positions between pixels' centres, where the gradient of a position jumps."""
    first, raw, weights = tensors
    raw = ((raw * 32).floor() * 2 + 1) / 64 if maps in (torch.bfloat16, torch.float16) else raw
    return [first.to(maps), raw.to(coordinates), weights.to(coordinates)]
