"""The compiled operators on a CUDA device against the reference on the CPU."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from bev_ops import functional, reference
from bev_ops._library import is_compiled
from op_cases import random_bca, random_dcnv3, random_msda, run
from random_cases import CASES, call, expected, to_type
from torch import Tensor

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-4, torch.bfloat16: 2**-6, torch.float16: 2**-9}
DTYPES = list(TOLERANCE)


def compare(op: str, tensors: list[Tensor], given: object, dtype: torch.dtype) -> None:
    """Output, and in float64 the gradients (which jump at pixels' centres, so that rounding may choose a side)."""
    assert is_compiled(torch.device("cuda")), "a CUDA device without compiled kernels"
    expected = call(op, reference, given, *(tensor.to(dtype).double() for tensor in tensors))
    own = call(op, functional, given, *(tensor.to("cuda", dtype) for tensor in tensors))
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(own.cpu().double(), expected, atol=tolerance * 8, rtol=tolerance * 8)
    if dtype == torch.float64:
        grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
        theirs = run(partial(call, op, reference, given), tensors, grad)
        mine = run(partial(call, op, functional, given), [tensor.cuda() for tensor in tensors], grad.cuda())
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a.cpu(), b, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("depth", [1, 3, 16, 20, 32, 64, 130])
@pytest.mark.parametrize("dtype", DTYPES)
def test_types_and_widths(dtype: torch.dtype, depth: int):
    compare("dcnv3", *random_dcnv3(2, (4, 5), 2, depth, padding=1), dtype)
    shapes = [(4, 5), (3, 2)]
    compare("ms_deform_attn", random_msda(2, 5, 2, depth, shapes, 2), shapes, dtype)
    compare("bev_cross_attention", *random_bca([2, 0, 1], 4, 2, depth, shapes, 4, 2), dtype)


@pytest.mark.parametrize("depth", [1, 3, 16, 20, 32, 64, 130])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gradients_in_narrow_types(dtype: torch.dtype, depth: int):
    """Coordinates in float32. The maps' gradient is added up with atomics of 4 or 16 bytes, as the channels allow."""
    shapes = [(4, 5), (3, 2)]
    attention, views = random_msda(2, 5, 2, depth, shapes, 2), random_bca([2, 0, 1], 4, 2, depth, shapes, 4, 2)
    views[1][2] = (views[1][2] * 32).round() / 32
    cases = {
        "dcnv3": random_dcnv3(2, (4, 5), 2, depth, spread=0.8, padding=1),
        "ms_deform_attn": (attention, shapes),
        "bev_cross_attention": views,
    }
    for op, (tensors, given) in cases.items():
        inputs = to_type(tensors, dtype, torch.float32)
        grad = torch.randn(expected(op, given, *inputs).shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        theirs = run(partial(expected, op, given), inputs, grad)
        mine = run(partial(call, op, functional, given), [tensor.cuda() for tensor in inputs], grad.cuda())
        for a, b in zip(mine, theirs, strict=True):
            tolerance = TOLERANCE[a.dtype]
            torch.testing.assert_close(a.cpu(), b, atol=tolerance * max(1.0, b.abs().max().item()), rtol=tolerance)


@pytest.mark.parametrize("op", list(CASES))
def test_sweep(op: str):
    for seed in range(300):
        compare(op, *CASES[op](seed), torch.float64)


def test_stream():
    """The kernels run on the current stream, after what was queued there before."""
    tensors, window = random_dcnv3(2, (64, 64), 4, 16, torch.float32, padding=1)
    maps, offset, mask = (tensor.cuda() for tensor in tensors)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10_000_000)
        maps.mul_(2)
        output = functional.dcnv3(maps, offset, mask, **window)
    stream.synchronize()
    torch.testing.assert_close(output.cpu(), 2 * functional.dcnv3(*tensors, **window), atol=1e-4, rtol=1e-4)


def test_misaligned_tensors():
    tensors, window = random_dcnv3(1, (4, 5), 2, 16, torch.float32, padding=1)
    shifted = []
    for tensor in tensors:
        room = torch.empty(tensor.numel() + 1, device="cuda")
        shifted.append(room[1:].view(tensor.shape).copy_(tensor))
    torch.testing.assert_close(functional.dcnv3(*shifted, **window).cpu(), functional.dcnv3(*tensors, **window))
