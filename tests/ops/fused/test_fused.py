"""Fused functions against PyTorch's own, for all types, instruction sets and row lengths."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from bev_ops import backends, fused, use_reference
from torch import Tensor, nn

pytestmark = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")
TOLERANCE = {torch.float64: 1e-13, torch.float32: 2e-6, torch.bfloat16: 2**-7, torch.float16: 2**-9}
DTYPES = list(TOLERANCE)
CHANNELS = [1, 2, 3, 9, 15, 16, 33, 70]
OPS = torch.ops.bev_ops


@pytest.fixture(autouse=True, params=["portable", "avx2", "avx512"])
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test with each instruction set that the processor offers (a narrower one where it doesn't)."""
    monkeypatch.setenv("BEV_OPS_CPU_TARGET", request.param)


def normal(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def check(own: Tensor, expected: Tensor) -> None:
    assert own.is_contiguous()
    tolerance = TOLERANCE[own.dtype]
    torch.testing.assert_close(own, expected.to(own.dtype), atol=tolerance, rtol=tolerance, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_gelu(channels: int, dtype: torch.dtype):
    x, bias = 3 * normal(5, 7, channels, dtype=dtype), normal(channels, seed=1, dtype=dtype)
    check(OPS.gelu(x, bias), F.gelu(x.double() + bias.double()))
    check(OPS.gelu(x, None), F.gelu(x.double()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_everywhere(dtype: torch.dtype):
    x = torch.cat([torch.linspace(-30, 30, 20001), torch.tensor([float("nan"), float("inf"), -1e4, 1e4])]).to(dtype)
    check(OPS.gelu(x, None), F.gelu(x.double()))


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_layer_norm(channels: int, dtype: torch.dtype, gelu: bool):
    x, weight, bias = normal(5, 7, channels, dtype=dtype), normal(channels, seed=1), normal(channels, seed=2)
    expected = F.layer_norm(x.double(), (channels,), weight, bias, 1e-3)
    parameters = [t.to(torch.float64 if dtype == torch.float64 else torch.float32) for t in (weight, bias)]
    check(OPS.layer_norm(x, *parameters, 1e-3, gelu), F.gelu(expected) if gelu else expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_add_branch(channels: int, dtype: torch.dtype):
    x, branch, scale = (
        normal(*shape, channels, dtype=dtype, seed=seed) for seed, shape in enumerate([(4, 3), (4, 3), ()])
    )
    check(OPS.add_branch(x, branch, scale), x.double() + scale.double() * branch.double())
    check(OPS.add_branch(x, branch, None), x.double() + branch.double())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [*CHANNELS, 64, 65])
def test_softmax(channels: int, dtype: torch.dtype):
    logits = 20 * normal(37, channels, dtype=dtype)
    weights = OPS.softmax(logits)
    check(weights, logits.double().softmax(-1))
    grad = normal(37, channels, dtype=dtype, seed=1)
    expected = torch.ops.aten._softmax_backward_data(grad.double(), weights.double(), -1, torch.float64)
    check(OPS.softmax_backward(grad, weights), expected)


def test_softmax_of_extremes():
    logits = torch.tensor([[-1e30, 0.0, 88.0], [1e30, -1e30, 1e30], [float("nan"), 0, 1], [float("-inf"), 0, 0]])
    check(fused.softmax(logits.repeat(8, 1)), logits.double().softmax(-1).repeat(8, 1))


def test_gradients_of_softmax():
    assert torch.autograd.gradcheck(fused.softmax, (normal(19, 9).requires_grad_(),))


def test_empty():
    assert fused.softmax(torch.zeros(0, 9)).shape == (0, 9)
    assert fused.softmax(torch.zeros(3, 0)).shape == (3, 0)
    assert OPS.gelu(torch.zeros(2, 0), None).shape == (2, 0)


def test_strided():
    x = normal(6, 5, 4, dtype=torch.float32).permute(2, 1, 0)
    check(OPS.gelu(x, None), F.gelu(x.double()))


@pytest.mark.parametrize("grad", [False, True])
def test_functions_agree_with_pytorch(grad: bool):
    x, bias = normal(33, 24).requires_grad_(), normal(24, seed=2)
    layer = nn.Linear(24, 24, dtype=torch.float64)

    def everything() -> list[Tensor]:
        return [
            fused.linear_gelu(x, layer),
            fused.layer_norm(x, bias, bias, 1e-6, gelu=True),
            fused.add_branch(x, x * 2, bias),
            fused.softmax(x),
        ]

    with torch.set_grad_enabled(grad):
        own = everything()
        with use_reference():
            expected = everything()
    for mine, theirs in zip(own, expected, strict=True):
        assert mine.requires_grad == grad
        torch.testing.assert_close(mine, theirs)


def test_by_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bev_ops.fused.op.NUMBERS_AT_A_TIME", 40)
    sizes: list[int] = []

    def double(rows: Tensor) -> Tensor:
        sizes.append(rows.numel())
        return 2 * rows

    x = normal(3, 7, 4)
    with torch.no_grad():
        torch.testing.assert_close(fused.by_rows(double, x), 2 * x)
    assert max(sizes) <= 40 and sum(sizes) == x.numel()
    sizes.clear()
    fused.by_rows(double, x)
    assert sizes == [x.numel()]


def test_opcheck():
    x, bias = normal(3, 5), normal(5, seed=1)
    torch.library.opcheck(OPS.gelu.default, (x, bias))
    torch.library.opcheck(OPS.layer_norm.default, (x, bias, bias, 1e-6, True))
    torch.library.opcheck(OPS.add_branch.default, (x, x, bias))
    torch.library.opcheck(OPS.softmax.default, (x.requires_grad_(),))
    torch.library.opcheck(OPS.softmax_backward.default, (x.detach(), x.detach()))


def test_errors_name_the_argument():
    with pytest.raises(RuntimeError, match="gelu: bias must have 5 elements, got 4"):
        OPS.gelu(torch.zeros(3, 5), torch.zeros(4))
    with pytest.raises(RuntimeError, match="add_branch: branch has the wrong type"):
        OPS.add_branch(torch.zeros(3, 5), torch.zeros(3, 5).double(), None)


def test_add_branch_needs_equal_shapes():
    with pytest.raises(RuntimeError, match="x and branch must have the same shape"):
        OPS.add_branch(torch.ones(2, 6), torch.ones(3, 4), None)


def test_layers_with_hooks_are_called():
    x, layer, called = normal(33, 24), nn.Linear(24, 24, dtype=torch.float64), []
    with torch.no_grad():
        expected = fused.linear_gelu(x, layer)
        handle = layer.register_forward_hook(lambda *_: called.append("own"))
        torch.testing.assert_close(fused.linear_gelu(x, layer), expected)
        handle.remove()
        handle = nn.modules.module.register_module_forward_hook(lambda *_: called.append("global"))
        torch.testing.assert_close(fused.linear_gelu(x, layer), expected)
        handle.remove()
        fused.linear_gelu(x, layer)
    assert called == ["own", "global"]


def test_what_stands_in_for_a_layer_is_called():
    class Adapted(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 1

    x, layer = normal(33, 24), Adapted(24, 24, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(fused.linear_gelu(x, layer), F.gelu(layer(x)))


def test_forward_mode_derivatives_are_those_of_pytorch():
    x, bias, layer = normal(33, 24), normal(24, seed=2), nn.Linear(24, 24, dtype=torch.float64).requires_grad_(False)
    direction = normal(33, 24, seed=3)
    for function in (
        lambda x: fused.linear_gelu(x, layer),
        lambda x: fused.layer_norm(x, bias, bias, 1e-6, gelu=True),
        lambda x: fused.add_branch(x, x * 2, bias),
        fused.softmax,
    ):
        own = torch.func.jvp(function, (x,), (direction,))[1]
        with use_reference():
            expected = torch.func.jvp(function, (x,), (direction,))[1]
        assert own.abs().max() > 0
        torch.testing.assert_close(own, expected)


def test_a_forward_of_the_layer_s_own_is_called():
    x, layer = normal(33, 24), nn.Linear(24, 24, dtype=torch.float64)
    layer.forward = lambda x: x + 1
    with torch.no_grad():
        torch.testing.assert_close(fused.linear_gelu(x, layer), F.gelu(x + 1))


def test_what_the_kernels_do_not_take_is_left_to_pytorch():
    x = normal(6, 4, dtype=torch.float32)
    with torch.no_grad():
        for branch, scale in ((x[:1], None), (x, torch.tensor(2.0)), (x, x), (x[:, :1], x[0])):
            expected = x + (branch if scale is None else scale * branch)
            torch.testing.assert_close(fused.add_branch(x, branch, scale), expected)
        assert fused.add_branch(torch.tensor(1.0), torch.tensor(2.0)) == 3
        assert fused.by_rows(lambda rows: 2 * rows, torch.zeros(3, 0)).shape == (3, 0)
        with pytest.raises(RuntimeError, match="mixed dtype"):  # as with gradients
            fused.layer_norm(x, normal(4), normal(4), 1e-6)


def test_subclasses_are_left_to_pytorch():
    class Plain(Tensor):
        """Knows PyTorch's own functions only."""

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            assert not isinstance(function, torch._ops.OpOverloadPacket), function
            return super().__torch_function__(function, types, args, kwargs or {})

    x, bias = normal(33, 24).as_subclass(Plain), normal(24, seed=2)
    layer = nn.Linear(24, 24, dtype=torch.float64)
    with torch.no_grad():
        for result in (
            fused.linear_gelu(x, layer),
            fused.layer_norm(x, bias, bias, 1e-6, gelu=True),
            fused.add_branch(x, x * 2, bias),
            fused.softmax(x),
        ):
            assert isinstance(result, Plain)
