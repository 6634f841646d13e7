"""The operators as citizens of PyTorch: autograd, opcheck, torch.compile, torch.export."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from bev_ops import backends, functional
from op_cases import random_dcnv3, random_msda
from torch import Tensor, nn

pytestmark = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")
SHAPES = [(3, 4), (2, 2)]


@pytest.mark.parametrize("depth", [3, 8])
def test_gradcheck(depth: int):
    tensors, arguments = random_dcnv3(1, (3, 4), 2, depth, kernel_size=(3, 2), padding=1, offset_scale=1.5)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    assert torch.autograd.gradcheck(partial(functional.dcnv3, **arguments), leaves)
    leaves = [tensor.requires_grad_() for tensor in random_msda(2, 3, 2, depth, SHAPES, 2)]
    assert torch.autograd.gradcheck(lambda value, *rest: functional.ms_deform_attn(value, SHAPES, *rest), leaves)


def test_second_derivative_is_refused():
    tensors, arguments = random_dcnv3(1, (3, 4), 1, 2, padding=1)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    (grad,) = torch.autograd.grad(functional.dcnv3(*leaves, **arguments).sum(), leaves[:1], create_graph=True)
    with pytest.raises(NotImplementedError, match="dcnv3 has no second derivative"):
        grad.sum().backward()


@pytest.mark.parametrize("grad", [True, False])
def test_opcheck(grad: bool):
    flat = (3, 3, 1, 1, 1, 1, 1, 1, 2, 1.0, False)
    tensors, _ = random_dcnv3(1, (3, 4), 2, 3, padding=1)
    leaves = [tensor.requires_grad_(grad) for tensor in tensors]
    torch.library.opcheck(torch.ops.bev_ops.dcnv3.default, (*leaves, *flat))
    value, *rest = (tensor.requires_grad_(grad) for tensor in random_msda(2, 3, 2, 4, SHAPES, 2))
    torch.library.opcheck(torch.ops.bev_ops.ms_deform_attn.default, (value, torch.tensor(SHAPES), *rest))


def test_opcheck_backward():
    tensors, _ = random_dcnv3(1, (3, 4), 2, 3, padding=1)
    flat = (3, 3, 1, 1, 1, 1, 1, 1, 2, 1.0, False)
    torch.library.opcheck(torch.ops.bev_ops.dcnv3_backward.default, (tensors[0], *tensors, *flat))
    value, *rest = random_msda(2, 3, 2, 4, SHAPES, 2)
    grad = torch.ones(2, 3, 8, dtype=value.dtype)
    torch.library.opcheck(torch.ops.bev_ops.ms_deform_attn_backward.default, (grad, value, torch.tensor(SHAPES), *rest))


class Both(nn.Module):
    """The two operators one after the other."""

    def __init__(self, arguments: dict) -> None:
        super().__init__()
        self.arguments = arguments

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        maps = functional.dcnv3(input, offset, mask, **self.arguments)
        height, width = maps.shape[1:3]
        value = maps.flatten(1, 2).unflatten(-1, (2, -1))
        return functional.ms_deform_attn(value, [(height, width)], locations, weights)


def both_and_inputs() -> tuple[Both, list[Tensor]]:
    tensors, arguments = random_dcnv3(2, (4, 5), 2, 4, torch.float32, padding=1)
    _, locations, weights = random_msda(2, 3, 2, 4, [(4, 5)], 2, torch.float32)
    return Both(arguments), [*tensors, locations, weights]


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_without_graph_breaks(dynamic: bool):
    model, inputs = both_and_inputs()
    leaves = [tensor.requires_grad_() for tensor in inputs]
    output = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=dynamic)(*leaves)
    expected = model(*leaves)
    torch.testing.assert_close(output, expected)
    for own, other in zip(
        torch.autograd.grad(output.sum(), leaves), torch.autograd.grad(expected.sum(), leaves), strict=True
    ):
        torch.testing.assert_close(own, other)


def test_export():
    model, inputs = both_and_inputs()
    program = torch.export.export(model, tuple(inputs))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert {"bev_ops.dcnv3.default", "bev_ops.ms_deform_attn.default"} <= called
    torch.testing.assert_close(program.module()(*inputs), model(*inputs))


def test_meta_tensors():
    tensors, arguments = random_dcnv3(2, (4, 5), 2, 4, padding=1, stride=2)
    output = functional.dcnv3(*(tensor.to("meta") for tensor in tensors), **arguments)
    assert output.is_meta
    assert output.shape == (2, 2, 3, 8)
