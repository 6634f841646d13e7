"""Compiled CPU kernels against the reference over seeded random cases: 100 of each operator, 2,000 in `make sweep`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from bev_ops import backends, functional, reference
from op_cases import run
from random_cases import CASES, call
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
@pytest.mark.parametrize("op", list(CASES))
def test_sweep(op: str, seeds: range, monkeypatch: pytest.MonkeyPatch):
    for seed in seeds:
        monkeypatch.setenv("BEV_OPS_CPU_TARGET", TARGETS[seed % 3])
        tensors, given = CASES[op](seed)
        agree(partial(call, op, functional, given), partial(call, op, reference, given), tensors, f"{op} case {seed}")
