"""PyTorch's derivatives of the operators: those of `torch.func`, and what is refused rather than given wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch
from bev_ops import backends, functional, fused
from bev_ops._autograd import alert_not_deterministic
from op_cases import random_bca, random_dcnv3, random_msda
from torch import Tensor

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
compiled = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")


def functions_of_maps() -> dict[str, tuple[Callable[[Tensor], Tensor], Tensor]]:
    """Each operator as a function of its maps, and maps."""
    tensors, arguments = random_dcnv3(1, (4, 5), 2, 4)
    shapes = [(4, 5)]
    value, locations, weights = random_msda(1, 3, 2, 4, shapes, 2)
    (values, offsets, attention), given = random_bca([2], 3, 2, 4, shapes, 4, 2)
    return {
        "dcnv3": (lambda x: functional.dcnv3(x, *tensors[1:], **arguments), tensors[0]),
        "ms_deform_attn": (lambda x: functional.ms_deform_attn(x, shapes, locations, weights), value),
        "bev_cross_attention": (lambda x: functional.bev_cross_attention(x, *given, offsets, attention), values),
    }


OPS = pytest.mark.parametrize("op", list(functions_of_maps()))


@compiled
@OPS
@pytest.mark.parametrize("traced", [False, True])
def test_forward_mode_is_refused(op: str, traced: bool):
    function, x = functions_of_maps()[op]

    def derivative(x: Tensor) -> Tensor:
        return torch.func.jvp(function, (x,), (x,))[1]

    if traced:
        derivative = torch.compile(derivative, backend="eager")
    with pytest.raises(NotImplementedError, match=f"bev_ops.{op} has no forward-mode derivative; take torch.func.vjp"):
        derivative(x)


@compiled
@pytest.mark.parametrize("traced", [False, True])
def test_forward_mode_of_softmax_is_that_of_pytorch(traced: bool):
    x = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))

    def derivative(x: Tensor) -> Tensor:
        return torch.func.jvp(fused.softmax, (x,), (x,))[1]

    expected = torch.func.jvp(lambda x: x.softmax(-1), (x,), (x,))[1]
    own = torch.compile(derivative, backend="eager", fullgraph=True) if traced else derivative
    assert expected.abs().max() > 0
    torch.testing.assert_close(own(x), expected)


@compiled
@OPS
def test_gradients_by_transforms(op: str):
    """Those of backward(), also where transforms are nested, and where they are compiled."""
    function, x = functions_of_maps()[op]

    def loss(x: Tensor) -> Tensor:
        return function(x).square().sum()

    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(leaf), leaf)
    gradient = torch.func.grad(loss)
    torch.testing.assert_close(gradient(x), expected)
    torch.testing.assert_close(torch.func.jacrev(loss)(x), expected)
    torch.testing.assert_close(torch.vmap(gradient)(torch.stack([x, x])), torch.stack([expected, expected]))
    several = torch.func.grad(lambda x: torch.vmap(loss)(x).sum())(torch.stack([x, x]))
    torch.testing.assert_close(several, torch.stack([expected, expected]))
    if TORCH >= (2, 14):  # before, torch.compile doesn't fall back to what it can't trace
        torch.testing.assert_close(torch.compile(gradient, backend="aot_eager")(x), expected)


@compiled
def test_second_derivatives_by_transforms():
    """A convolution is linear in its maps: the Hessian of half its square is the same everywhere."""
    function, x = functions_of_maps()["dcnv3"]
    gradient = torch.func.grad(lambda x: function(x).square().sum() / 2)
    own = torch.func.grad(lambda x: gradient(x).sum())(x)
    torch.testing.assert_close(own, gradient(torch.ones_like(x)))


@compiled
@pytest.mark.parametrize(
    "function",
    [
        fused.softmax,
        lambda x: fused.layer_norm(x, torch.ones(9), torch.zeros(9), 1e-6, gelu=True),
        lambda x: fused.add_branch(x, x * x),
    ],
    ids=["softmax", "layer_norm", "add_branch"],
)
def test_gradients_of_fused_functions_by_transforms(function: Callable[[Tensor], Tensor]):
    x = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(function(leaf).square().sum(), leaf)
    torch.testing.assert_close(torch.func.grad(lambda x: function(x).square().sum())(x), expected)
    by_rows = torch.func.grad(lambda x: torch.vmap(function)(x).square().sum())(x)
    torch.testing.assert_close(by_rows, expected)


@compiled
@OPS
def test_transforms_without_gradients_keep_the_kernels(op: str):
    function, x = functions_of_maps()[op]
    several = torch.vmap(function)
    for own in (several, torch.compile(several, backend="aot_eager", fullgraph=True)):
        assert torch.equal(own(torch.stack([x, 2 * x])), torch.stack([function(x), function(2 * x)]))


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_sums_without_a_fixed_order_are_refused_where_determinism_is_wanted():
    on_gpu = SimpleNamespace(is_cuda=True)
    with pytest.raises(RuntimeError, match=r"bev_ops\.dcnv3's gradient on CUDA is added up in no fixed order"):
        alert_not_deterministic("dcnv3", on_gpu)
    alert_not_deterministic("dcnv3", Tensor([1.0]))
    torch.use_deterministic_algorithms(True, warn_only=True)
    with pytest.warns(UserWarning, match="no fixed order"):
        alert_not_deterministic("dcnv3", on_gpu)
    torch.use_deterministic_algorithms(False)
    alert_not_deterministic("dcnv3", on_gpu)
