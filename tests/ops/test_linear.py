"""Linear layers computed as convolutions against PyTorch's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from bev_ops import backends, linear, use_reference
from bev_ops.modules import Linear
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

pytestmark = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")
SHAPE = (2, 24, 32, 64)  # 98,304 numbers, 12.6 million multiply-adds with 128 outputs


@pytest.fixture(autouse=True)
def as_convolution(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, and a processor that MKL doesn't know well."""
    monkeypatch.setattr(linear, "_mkl_lags", lambda: True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Convolutions(TorchDispatchMode):
    """Counts convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "convolution" in str(func)
        return func(*args, **(kwargs or {}))


def arguments(*shape: int, outputs: int = 128) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(shape), torch.randn(outputs, shape[-1]), torch.randn(outputs)


def convolutions(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> int:
    with Convolutions() as seen:
        linear.linear(x, weight, bias)
    return seen.count


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [SHAPE, (1536, 64), (3, 512, 64), (2, 3, 4, 8, 8, 64)])
def test_outputs_and_gradients(shape: tuple[int, ...], biased: bool):
    given = [tensor.requires_grad_() for tensor in arguments(*shape)[: 3 if biased else 2]]
    assert convolutions(*given) == 1
    output, expected = linear.linear(*given), F.linear(*given)
    assert output.is_contiguous()
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-5)
    grad = torch.randn_like(expected)
    for own, theirs in zip(
        torch.autograd.grad(output, given, grad), torch.autograd.grad(expected, given, grad), strict=True
    ):
        torch.testing.assert_close(own, theirs, atol=1e-3, rtol=1e-4)


def test_views():
    x, weight, bias = arguments(*SHAPE)
    seen = x.permute(0, 2, 1, 3)[..., ::2]
    assert convolutions(seen, weight[:, :32].repeat(2, 1), bias.repeat(2)) == 1
    output = linear.linear(seen, weight[:, 1::2].repeat(2, 1), bias.repeat(2))
    expected = F.linear(seen, weight[:, 1::2].repeat(2, 1), bias.repeat(2))
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:TF32")
def test_left_to_pytorch(monkeypatch: pytest.MonkeyPatch):
    x, weight, bias = arguments(*SHAPE)
    assert convolutions(x, weight, bias) == 1
    assert convolutions(x[:, :2], weight, bias) == 0  # small
    assert convolutions(torch.randn(128, 2048), torch.randn(512, 2048)) == 0  # few rows
    assert convolutions(x.double(), weight.double(), bias.double()) == 0
    with torch.autocast("cpu", torch.bfloat16):
        assert convolutions(x, weight, bias) == 0
    with use_reference():
        assert convolutions(x, weight, bias) == 0
    with torch.backends.mkldnn.flags(enabled=False):
        assert convolutions(x, weight, bias) == 0
    monkeypatch.setattr(linear, "_mkl_lags", lambda: False)
    assert convolutions(x, weight, bias) == 0
    monkeypatch.setattr(linear, "_mkl_lags", lambda: True)
    torch.set_num_threads(1)
    assert convolutions(x, weight, bias) == 0


def test_weights_that_know_no_convolutions():
    class Quantised(Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            assert function is F.linear
            return F.linear(args[0], args[1].as_subclass(Tensor), args[2])

    x, weight, bias = arguments(*SHAPE)
    torch.testing.assert_close(linear.linear(x, weight.as_subclass(Quantised), bias), F.linear(x, weight, bias))


def test_exported_as_a_linear_layer():
    layer = Linear(64, 128)
    graph = torch.export.export(layer, (torch.randn(SHAPE),)).graph
    called = [str(node.target) for node in graph.nodes if node.op == "call_function"]
    assert called == ["aten.linear.default"]


def test_layer_is_a_linear_layer():
    own, theirs = Linear(64, 128), nn.Linear(64, 128)
    theirs.load_state_dict(own.state_dict(), strict=True)
    assert isinstance(own, nn.Linear)
    x = torch.randn(SHAPE)
    torch.testing.assert_close(own(x), theirs(x), atol=1e-5, rtol=1e-5)
    assert Linear(64, 128, bias=False)(x).shape == (*SHAPE[:-1], 128)


@pytest.mark.parametrize(
    ("capability", "processor", "lags"),
    [
        ("AVX512", "vendor_id\t: AuthenticAMD", True),
        ("AVX512", "vendor_id\t: GenuineIntel", False),
        ("AVX2", "vendor_id\t: AuthenticAMD", False),
    ],
)
def test_where_mkl_lags(monkeypatch: pytest.MonkeyPatch, capability: str, processor: str, lags: bool):
    monkeypatch.undo()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(linear.Path, "read_text", lambda *_, **__: processor)
    assert linear._mkl_lags.__wrapped__() is lags
