"""The CUDA kernels, run on the CPU by a stand-in that checks every access, against the reference."""

from __future__ import annotations

import ctypes
import math
import random
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
import torch
from bev_ops import reference
from cuda_host import KernelError, build, compiler, run_on_host
from op_cases import random_bca, random_dcnv3, random_msda, run
from random_cases import CASES, expected, to_type
from torch import Tensor

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler")
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-4, torch.bfloat16: 2**-6, torch.float16: 2**-9}
SWEEPS = [pytest.param(range(100), id="100"), pytest.param(range(100, 2000), id="2000", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return build(Path(__file__).parents[2] / "build" / "cuda_on_host")


def compare(library: ctypes.CDLL, op: str, tensors: list[Tensor], given: object, **sizes: int) -> None:
    """Output and gradients of a kernel against the reference."""
    shape = expected(op, given, *tensors).shape
    grad = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(tensors[0].dtype)
    theirs = run(partial(expected, op, given), tensors, grad)
    own = [*run_on_host(library, op, tensors, given, **sizes), *run_on_host(library, op, tensors, given, grad, **sizes)]
    for mine, other in zip(own, theirs, strict=True):
        tolerance = TOLERANCE[mine.dtype]
        most = max(1.0, other.abs().max().item()) if other.numel() else 1.0
        torch.testing.assert_close(mine, other, atol=tolerance * most, rtol=tolerance)


@pytest.mark.parametrize("depth", [1, 3, 16, 20, 32, 64, 130])
@pytest.mark.parametrize(
    ("maps", "coordinates"),
    # Positions in bfloat16 are on pixels' centres too often: test_coordinates_in_bfloat16.
    [(t, t) for t in TOLERANCE if t != torch.bfloat16] + [(t, torch.float32) for t in (torch.bfloat16, torch.float16)],
)
def test_types_and_widths(library: ctypes.CDLL, maps: torch.dtype, coordinates: torch.dtype, depth: int):
    tensors, window = random_dcnv3(2, (4, 5), 2, depth, spread=0.8, padding=1)
    compare(library, "dcnv3", to_type(tensors, maps, coordinates), window)
    shapes = [(4, 5), (3, 2)]
    value, locations, weights = random_msda(2, 5, 2, depth, shapes, 2)
    compare(library, "ms_deform_attn", to_type([value, locations, weights], maps, coordinates), shapes)
    tensors, given = random_bca([2, 0, 1], 4, 2, depth, shapes, 4, 2)
    given[2] = (given[2] * 32).round() / 32
    compare(library, "bev_cross_attention", to_type(tensors, maps, coordinates), given)


def test_coordinates_in_bfloat16(library: ctypes.CDLL):
    (maps, offset, mask), window = random_dcnv3(2, (4, 5), 2, 16, padding=1)
    offset = ((offset * 4).floor() * 2 + 1) / 8
    compare(library, "dcnv3", [tensor.bfloat16() for tensor in (maps, offset, mask)], window)


@pytest.mark.parametrize("seeds", SWEEPS)
@pytest.mark.parametrize("op", list(CASES))
def test_sweep(library: ctypes.CDLL, op: str, seeds: range):
    for seed in seeds:
        tensors, given = CASES[op](seed)
        try:
            compare(library, op, tensors, given, threads=(32, 64, 256)[seed % 3])
        except (AssertionError, KernelError) as error:
            raise AssertionError(f"{op} case {seed}: {error}") from error


def test_nan_and_far_positions_are_outside(library: ctypes.CDLL):
    tensors, window = random_dcnv3(1, (3, 4), 2, 4, padding=1)
    for bad in (math.nan, math.inf, -math.inf, 1e300):
        tensors[1].fill_(bad)
        grad = torch.ones(1, 3, 4, 8, dtype=torch.float64)
        results = [
            *run_on_host(library, "dcnv3", tensors, window),
            *run_on_host(library, "dcnv3", tensors, window, grad),
        ]
        assert all((result == 0).all() for result in results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_positions_one_pixel_outside(library: ctypes.CDLL, dtype: torch.dtype):
    """Undisplaced points of a padded window, and locations; in maps of such sizes the reference moves none of them."""
    (maps, offset, mask), window = random_dcnv3(2, (4, 8), 2, 8, dtype, padding=1)
    compare(library, "dcnv3", [maps, torch.zeros_like(offset), mask], window)
    shapes = [(4, 8), (2, 4)]
    value, locations, weights = random_msda(2, 5, 2, 8, shapes, 2, dtype)
    sizes = torch.tensor(shapes, dtype=dtype).flip(-1)[:, None]
    compare(library, "ms_deform_attn", [value, ((locations * sizes).round() - 0.5) / sizes, weights], shapes)


def test_division(library: ctypes.CDLL):
    choose = random.Random(0)
    most = 2**63 - 1
    divisors = [1, 2, 3, 7, 2**31, 2**32 + 1, 2**62, 2**62 + 1, most, *(choose.randint(1, 2**e) for e in range(1, 63))]
    for divisor in divisors:
        multiples = [divisor * k + d for k in (1, 2, most // divisor) for d in (-1, 0, 1)]
        for number in [0, 1, most, *multiples, *(choose.randint(0, 2**e) for e in range(1, 63))]:
            if number <= most:
                assert library.divide(number, divisor) == number // divisor


def test_levels_beyond_the_values_are_outside(library: ctypes.CDLL):
    """The sizes lie on the device and can't be checked before; nothing out of bounds may be read."""
    shapes = [(4, 5), (3, 2)]
    tensors = random_msda(1, 5, 2, 4, shapes, 2)
    wrong = [(4, 5), (1 << 40, 1 << 40)]
    first = [tensors[0][:, :20], tensors[1][..., :1, :, :], tensors[2][..., :1, :]]
    own = run_on_host(library, "ms_deform_attn", tensors, wrong)[0]
    torch.testing.assert_close(own, reference.ms_deform_attn(first[0], shapes[:1], *first[1:]))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"maps": 8}, "read of .* outside of all memory"),
        ({"raw": 16}, "read of 16 bytes outside"),
        ({"output": 8}, "write of .* outside of all memory"),
    ],
)
def test_the_stand_in_sees_accesses_out_of_bounds(library: ctypes.CDLL, missing: dict[str, int], message: str):
    tensors, window = random_dcnv3(1, (4, 4), 1, 4, spread=0.0, padding=1)
    with pytest.raises(KernelError, match=message):
        run_on_host(library, "dcnv3", tensors, window, missing=missing)


@pytest.mark.parametrize(
    ("bug", "message"),
    [
        ("RACE", "second write to byte"),
        ("BARRIER", "which has ended|for ever|different masks"),
        ("ALIGNMENT", "misaligned"),
    ],
)
def test_the_stand_in_sees_planted_bugs(bug: str, message: str, tmp_path: Path):
    (tmp_path / "bugs.cpp").write_text(BUGS)
    here = Path(__file__).parent
    command = [compiler(), "-O2", "-std=c++17", "-U_FORTIFY_SOURCE", f"-D{bug}", "-I", here, tmp_path / "bugs.cpp"]
    subprocess.run([str(part) for part in [*command, "-o", tmp_path / "bugs"]], check=True)
    output = subprocess.run([tmp_path / "bugs"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(message, output)


BUGS = """
#include "cuda_on_host.h"
#include <cstdio>
alignas(16) static double memory[64];
static void kernel() {
#if defined(RACE)
  BEV_CHECK_WRITE(memory, 8, 8);
#elif defined(ALIGNMENT)
  BEV_CHECK_READ(memory + 1, 16, 16);
#else
  if (threadIdx.x != 3) __syncwarp(0xffffffffu);
#endif
}
int main() {
  using namespace cuda_on_host;
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  machine.allocations.push_back({begin, begin + sizeof(memory), Access::output, std::vector<int64_t>(512, -1)});
  std::puts(launch(1, 32, kernel).c_str());
}
"""
