"""Compiled CPU kernels against the reference over seeded random cases: 100 of each operator, 2,000 in `make sweep`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from bev_ops import backends, functional, reference
from op_cases import run
from random_cases import bca_case, dcnv3_case, msda_case
from torch import Tensor

pytestmark = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")
TARGETS = ("portable", "avx2", "avx512")
SWEEPS = [pytest.param(range(100), id="100"), pytest.param(range(100, 2000), id="2000", marks=pytest.mark.slow)]


def agree(own: Callable[..., Tensor], expected: Callable[..., Tensor], tensors: list[Tensor], case: str) -> None:
    """Outputs and gradients agree in float64, and outputs in float32 (whose gradients may jump at a pixel's centre)."""
    grad = torch.randn(expected(*tensors).shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    single = [tensor.float() for tensor in tensors]
    names = ("output", "gradient of maps", "gradient of positions", "gradient of weights", "output in float32")
    mine = [*run(own, tensors, grad), own(*single)]
    theirs = [*run(expected, tensors, grad), expected(*single)]
    for name, a, b in zip(names, mine, theirs, strict=True):
        tolerance = 1e-9 if a.dtype == torch.float64 else 5e-4
        torch.testing.assert_close(
            a, b, atol=tolerance, rtol=tolerance, msg=lambda text, name=name: f"{case}, {name}: {text}"
        )


@pytest.mark.parametrize("seeds", SWEEPS)
def test_dcnv3(seeds: range, monkeypatch: pytest.MonkeyPatch):
    for seed in seeds:
        monkeypatch.setenv("BEV_OPS_CPU_TARGET", TARGETS[seed % 3])
        tensors, window = dcnv3_case(seed)
        own, expected = partial(functional.dcnv3, **window), partial(reference.dcnv3, **window)
        agree(own, expected, tensors, f"dcnv3 case {seed}")


@pytest.mark.parametrize("seeds", SWEEPS)
def test_ms_deform_attn(seeds: range, monkeypatch: pytest.MonkeyPatch):
    for seed in seeds:
        monkeypatch.setenv("BEV_OPS_CPU_TARGET", TARGETS[seed % 3])
        tensors, shapes = msda_case(seed)

        def call(op: Callable[..., Tensor], value: Tensor, *rest: Tensor, shapes: list = shapes) -> Tensor:
            return op(value, shapes, *rest)

        own, expected = partial(call, functional.ms_deform_attn), partial(call, reference.ms_deform_attn)
        agree(own, expected, tensors, f"ms_deform_attn case {seed}")


@pytest.mark.parametrize("seeds", SWEEPS)
def test_bev_cross_attention(seeds: range, monkeypatch: pytest.MonkeyPatch):
    for seed in seeds:
        monkeypatch.setenv("BEV_OPS_CPU_TARGET", TARGETS[seed % 3])
        tensors, given = bca_case(seed)

        def call(op: Callable[..., Tensor], values: Tensor, *rest: Tensor, given: list = given) -> Tensor:
            shapes, splits, points, visible = given
            return op(values, shapes, splits, points.to(values.dtype), visible, *rest)

        own, expected = partial(call, functional.bev_cross_attention), partial(call, reference.bev_cross_attention)
        agree(own, expected, tensors, f"bev_cross_attention case {seed}")
