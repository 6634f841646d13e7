"""Sizes given as numbers: copied to a device once, and only where tensors are what they seem."""

from __future__ import annotations

import pytest
import torch
from bev_ops import _sizes, functional
from bev_ops._sizes import integers
from bev_ops.bev_cross_attention.arguments import splits_tensor
from bev_ops.ms_deform_attn.arguments import shapes_tensor
from op_cases import random_bca, random_msda
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sizes, "_kept", {})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What tensors are made of while a test runs."""
    numbers: list[object] = []
    tensor = torch.tensor

    def record(data: object, **options: object) -> Tensor:
        numbers.append(data)
        return tensor(data, **options)

    monkeypatch.setattr(torch, "tensor", record)
    return numbers


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_repeated_calls_copy_nothing(device: str, made: list[object]):
    shapes = [(4, 5), (3, 2)]
    attention = [tensor.to(device) for tensor in random_msda(1, 5, 2, 4, shapes, 2)]
    views, (_, _, points, visible) = random_bca([2, 1], 3, 2, 4, shapes, 4, 2)
    values, offsets, weights, points, visible = (tensor.to(device) for tensor in (*views, points, visible))
    made.clear()
    for _ in range(3):
        functional.ms_deform_attn(attention[0], [list(shape) for shape in shapes], *attention[1:])
        functional.bev_cross_attention(values, shapes, [0, 2, 3], points, visible, offsets, weights)
    assert made == [((4, 5), (3, 2)), (0, 2, 3)]


def test_tensors_are_kept_by_numbers_and_device():
    kept = integers((1, 2), CPU)
    assert integers((1, 2), CPU) is kept
    assert integers((torch.tensor(1), 2), CPU) is kept
    assert kept.tolist() == [1, 2] and kept.dtype == torch.int64
    assert integers((2, 1), CPU).tolist() == [2, 1]
    assert integers((1, 2), META).is_meta
    assert shapes_tensor([], CPU).shape == (0, 2)


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_sizes, "MOST_KEPT", 2)
    first = integers((1,), CPU)
    for number in range(2, 6):
        assert integers((number,), CPU).item() == number
    assert len(_sizes._kept) == 2
    assert integers((1,), CPU) is first


def test_fake_and_traced_tensors_are_not_kept():
    with FakeTensorMode():
        assert isinstance(splits_tensor([0, 3], CPU), FakeTensor)
    traced = torch.compile(lambda x: x + splits_tensor([0, 3], CPU), backend="eager", fullgraph=True)
    assert traced(torch.ones(2)).tolist() == [1, 4]
    torch.func.grad(lambda x: (x * splits_tensor([0, 3], CPU)).sum())(torch.ones(2))
    assert not _sizes._kept


def test_what_inference_makes_serves_training():
    shapes = [(4, 5)]
    tensors = random_msda(1, 5, 2, 4, shapes, 2)
    with torch.inference_mode():
        functional.ms_deform_attn(tensors[0], shapes, *tensors[1:])
    leaves = [tensor.requires_grad_() for tensor in tensors]
    functional.ms_deform_attn(leaves[0], shapes, *leaves[1:]).sum().backward()
    assert all(leaf.grad is not None for leaf in leaves)
