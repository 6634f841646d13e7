"""Compiled kernels against the PyTorch reference: output and all gradients, over shapes, widths and windows."""

from __future__ import annotations

import math
import random
from functools import partial

import pytest
import torch
from bev_ops import backends, functional, reference
from op_cases import random_dcnv3, random_msda, run
from torch import Tensor

pytestmark = pytest.mark.skipif(
    backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled: there is nothing to compare"
)
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}


@pytest.fixture(autouse=True, params=["portable", "avx2", "avx512"])
def widest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test with each instruction set that the processor offers (a narrower one where it doesn't)."""
    monkeypatch.setenv("BEV_OPS_CPU_TARGET", request.param)


def compare(own: list[Tensor], other: list[Tensor]) -> None:
    for mine, theirs in zip(own, other, strict=True):
        torch.testing.assert_close(mine, theirs, atol=TOLERANCE[mine.dtype], rtol=TOLERANCE[mine.dtype])


def compare_dcnv3(tensors: list[Tensor], arguments: dict) -> None:
    output = reference.dcnv3(*tensors, **arguments)
    grad = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(1))
    compare(*(run(partial(backend.dcnv3, **arguments), tensors, grad) for backend in (functional, reference)))


def compare_msda(tensors: list[Tensor], shapes: list[tuple[int, int]]) -> None:
    output = reference.ms_deform_attn(tensors[0], shapes, *tensors[1:])
    grad = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(1))
    own, other = (
        run(lambda value, *rest, f=backend.ms_deform_attn: f(value, shapes, *rest), tensors, grad)
        for backend in (functional, reference)
    )
    compare(own, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 7, 8, 12, 16, 24, 31, 32, 64, 65, 127])
def test_dcnv3_widths(depth: int, dtype: torch.dtype):
    compare_dcnv3(*random_dcnv3(2, (5, 7), 2, depth, dtype, padding=1))


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


def test_random_shapes():
    """Seeded sweep over everything at once."""
    choose = random.Random(0)
    for seed in range(60):
        kernel = (choose.randint(1, 4), choose.randint(1, 4))
        dilation = (choose.randint(1, 2), choose.randint(1, 2))
        needed = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        compare_dcnv3(
            *random_dcnv3(
                choose.randint(1, 3),
                (choose.randint(needed[0], 9), choose.randint(needed[1], 9)),
                choose.randint(1, 5),
                choose.randint(1, 40),
                kernel_size=kernel,
                dilation=dilation,
                stride=(choose.randint(1, 3), choose.randint(1, 3)),
                padding=(choose.randint(0, 2), choose.randint(0, 2)),
                offset_scale=choose.choice([0.5, 1.0, 2.0]),
                remove_center=math.prod(kernel) % 2 == 1 and choose.random() < 0.5 and kernel != (1, 1),
                seed=seed,
            )
        )
        shapes = [(choose.randint(1, 6), choose.randint(1, 6)) for _ in range(choose.randint(1, 4))]
        sizes = [choose.randint(1, most) for most in (3, 9, 5, 40)]
        compare_msda(random_msda(*sizes, shapes, choose.randint(1, 5), seed=seed), shapes)


def test_result_does_not_depend_on_threads():
    tensors, arguments = random_dcnv3(3, (9, 8), 4, 16, torch.float32, padding=1)
    grad = torch.randn_like(tensors[0])
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(run(partial(functional.dcnv3, **arguments), tensors, grad))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_strided_tensors():
    tensors, arguments = random_dcnv3(2, (6, 7), 2, 4, padding=1)
    shuffled = [tensor.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0) for tensor in tensors]
    assert not shuffled[0].is_contiguous()
    compare_dcnv3(shuffled, arguments)
