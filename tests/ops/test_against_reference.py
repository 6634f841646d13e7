"""Compiled kernels against the PyTorch reference: output and all gradients, over shapes, widths and windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from bev_ops import backends, functional, reference
from op_cases import random_dcnv3, random_msda, run
from torch import Tensor

pytestmark = pytest.mark.skipif(
    backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled: there is nothing to compare"
)
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4, torch.bfloat16: 2**-7, torch.float16: 2**-10}
LOW_PRECISION = [torch.bfloat16, torch.float16]


@pytest.fixture(autouse=True, params=["portable", "avx2", "avx512"])
def widest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test with each instruction set that the processor offers (a narrower one where it doesn't)."""
    monkeypatch.setenv("BEV_OPS_CPU_TARGET", request.param)


def between_pixels(positions: Tensor, parts: int) -> Tensor:
    """Positions moved to odd multiples of 1 / parts: 16-bit types hold them, and none is a pixel's centre.

    There the gradient of a position jumps, and the last bit decides on which side it is taken.
    """
    return ((positions * parts / 2).floor() * 2 + 1) / parts


def compare(own: list[Tensor], other: list[Tensor]) -> None:
    for mine, theirs in zip(own, other, strict=True):
        tolerance = TOLERANCE[mine.dtype]
        if TOLERANCE[torch.float32] < tolerance:  # sums of many terms, each rounded alike, cancel
            tolerance *= max(1.0, theirs.abs().max().item())
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=TOLERANCE[mine.dtype])


def in_compute_type(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function with its tensors in the type that the operators compute in, and the result in the first one's."""

    def wrapped(*tensors: Tensor) -> Tensor:
        dtype = torch.float64 if tensors[0].dtype == torch.float64 else torch.float32
        return function(*(tensor.to(dtype) for tensor in tensors)).to(tensors[0].dtype)

    return wrapped


def compare_dcnv3(tensors: list[Tensor], arguments: dict) -> None:
    expected = in_compute_type(partial(reference.dcnv3, **arguments))
    output = expected(*tensors)
    grad = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    compare(run(partial(functional.dcnv3, **arguments), tensors, grad), run(expected, tensors, grad))


def compare_msda(tensors: list[Tensor], shapes: list[tuple[int, int]]) -> None:
    def own(value: Tensor, *rest: Tensor) -> Tensor:
        return functional.ms_deform_attn(value, shapes, *rest)

    expected = in_compute_type(lambda value, *rest: reference.ms_deform_attn(value, shapes, *rest))
    output = expected(*tensors)
    grad = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    compare(run(own, tensors, grad), run(expected, tensors, grad))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 7, 8, 12, 16, 24, 31, 32, 64, 65, 127])
def test_dcnv3_widths(depth: int, dtype: torch.dtype):
    compare_dcnv3(*random_dcnv3(2, (5, 7), 2, depth, dtype, padding=1))


@pytest.mark.parametrize("coordinates", [*LOW_PRECISION, torch.float32])
@pytest.mark.parametrize("dtype", LOW_PRECISION)
@pytest.mark.parametrize("depth", [3, 16, 32, 64, 70])
def test_16_bit_storage(depth: int, dtype: torch.dtype, coordinates: torch.dtype):
    """Coordinates come in the maps' type, or in float32; sums are in float32 and rounded once, as in the reference."""
    if coordinates not in (dtype, torch.float32):
        pytest.skip("maps and coordinates differ in their 16-bit types; the operators take both in float32 then")
    (input, offset, mask), arguments = random_dcnv3(2, (5, 7), 2, depth, torch.float32, padding=1)
    compare_dcnv3([input.to(dtype), between_pixels(offset, 16).to(coordinates), mask.to(coordinates)], arguments)
    shapes = [(5, 7), (3, 4)]
    value, locations, weights = random_msda(2, 11, 3, depth, shapes, 3, torch.float32)
    tensors = [value.to(dtype), between_pixels(locations, 64).to(coordinates), weights.to(coordinates)]
    compare_msda(tensors, shapes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("depth", [1, 3, 8, 16, 20, 32, 64])
def test_msda_widths(depth: int, dtype: torch.dtype):
    shapes = [(5, 7), (3, 4), (1, 1)]
    compare_msda(random_msda(2, 11, 3, depth, shapes, 3, dtype), shapes)


@pytest.mark.parametrize(
    "window",
    [
        {"kernel_size": (3, 5), "padding": (1, 2)},
        {"kernel_size": (5, 1), "padding": (0, 3), "stride": (2, 1)},
        {"kernel_size": (2, 4), "padding": (2, 1), "dilation": (1, 2)},
        {"kernel_size": 1},
        {"kernel_size": 3, "padding": 4, "stride": (3, 2), "offset_scale": 0.5},
        {"kernel_size": (5, 3), "padding": 2, "remove_center": True, "offset_scale": 2.0},
    ],
    ids=str,
)
def test_dcnv3_windows(window: dict):
    compare_dcnv3(*random_dcnv3(2, (8, 11), 3, 5, **window))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_dcnv3_tiny_maps(size: tuple[int, int]):
    compare_dcnv3(*random_dcnv3(3, size, 2, 4, padding=1))


@pytest.mark.parametrize("images", [1, 2, 3, 5])
def test_division_among_threads(images: int):
    """Blocks of groups, whose number depends on images and threads, and more groups than are handled at a time."""
    compare_dcnv3(*random_dcnv3(images, (3, 4), 17, 2, padding=1))


def test_dcnv3_far_outside():
    compare_dcnv3(*random_dcnv3(1, (6, 5), 2, 4, spread=1e6, padding=1))
    tensors, arguments = random_dcnv3(1, (6, 5), 2, 4, torch.float32, spread=1e30, padding=1)
    assert functional.dcnv3(*tensors, **arguments).isfinite().all()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_result_is_the_same_in_each_run(threads: int):
    """More threads than images and groups divide the queries, too."""
    tensors, arguments = random_dcnv3(1, (9, 8), 2, 16, torch.float32, padding=1)
    grad = torch.randn_like(tensors[0])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        first, second = (run(partial(functional.dcnv3, **arguments), tensors, grad) for _ in range(2))
        compare_dcnv3(tensors, arguments)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("depth", [16, 5])
def test_maps_in_a_margin_and_in_place_agree(depth: int):
    """One thread copies the maps of all groups, many threads share their queries and read them where they are."""
    (input, offset, mask), arguments = random_dcnv3(1, (7, 6), 2, depth, torch.float32, padding=1)
    places = [(-1.0, -1.0), (-1.0, 2.5), (-2.0, 3.0), (6.0, 7.0), (5.0, 6.0), (4.5, -0.25), (1e9, 0.0), (0.0, -1e30)]
    places += [(math.nan, 1.0), (math.inf, -math.inf)]
    query = torch.arange(len(places))
    # The first point of a window is up and left of the query's pixel.
    offset.view(-1, 2 * 9, 2)[query, 0] = torch.tensor(places) - torch.stack([query % 6, query // 6], -1) + 1
    input[0, 0, 0], input[0, -1, -1, ::2], input[0, 3, 3, 1] = math.inf, -math.inf, math.nan
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 16):
            torch.set_num_threads(threads)
            results.append(run(partial(functional.dcnv3, **arguments), [input, offset, mask], torch.ones_like(input)))
    finally:
        torch.set_num_threads(before)
    for margin, place in zip(*results, strict=True):
        torch.testing.assert_close(margin, place, equal_nan=True)


def test_strided_tensors():
    tensors, arguments = random_dcnv3(2, (6, 7), 2, 4, padding=1)
    shuffled = [tensor.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0) for tensor in tensors]
    assert not shuffled[0].is_contiguous()
    compare_dcnv3(shuffled, arguments)
