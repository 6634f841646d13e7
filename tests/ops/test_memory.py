"""Memory that the operators hold beyond their arguments and results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from bev_ops import backends, functional
from bev_ops.benchmarks.measure import peak_bytes
from op_cases import random_msda
from torch import Tensor

pytestmark = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def backward(threads: int) -> tuple[list[Tensor], float]:
    """Gradients of a head's attention to a large map, and the most memory that they took, in maps."""
    torch.set_num_threads(threads)
    shapes = [(40, 50)]
    leaves = [tensor.requires_grad_() for tensor in random_msda(1, 64, 1, 16, shapes, 4, torch.float32)]
    output = functional.ms_deform_attn(leaves[0], shapes, *leaves[1:])
    grads: list[Tensor] = []
    peak = peak_bytes(lambda: grads.extend(torch.autograd.grad(output.square().sum(), leaves)), "cpu")
    return grads, peak / leaves[0].nbytes


def test_copies_of_the_maps_gradient_are_few_however_many_threads_there_are():
    (alone, least), (two, _), (many, most) = backward(1), backward(2), backward(32)
    assert least < 2 and most < 6
    for one, other, another in zip(alone, two, many, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one, another, atol=1e-5, rtol=1e-5)
