"""The operators and the DCNv3 layer under torch.compile with its default backend, torch.export and autocast."""

from __future__ import annotations

import pytest
import torch
from bev_ops import backends, functional
from bev_ops.modules import DCNv3
from op_cases import random_bca, random_dcnv3
from torch import Tensor, nn

pytestmark = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")


class Everything(nn.Module):
    """A DCNv3 layer whose output is the values of both kinds of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = DCNv3(8, group=2)
        nn.init.normal_(self.layer.offset.weight, std=0.2)
        nn.init.normal_(self.layer.mask.weight, std=0.2)
        (_, self.offsets, self.weights), given = random_bca([2], 3, 2, 4, [(4, 5)], 4, 2, torch.float32)
        self.shapes, self.splits, self.points, self.visible = given

    def forward(self, maps: Tensor) -> Tensor:
        values = self.layer(maps).flatten(1, 2).unflatten(-1, (2, 4))
        seen = functional.bev_cross_attention(
            values, self.shapes, self.splits, self.points.to(torch.float32), self.visible, self.offsets, self.weights
        )
        locations = torch.sigmoid(self.offsets)
        attended = functional.ms_deform_attn(values[:1], self.shapes, locations, self.weights)
        return seen + attended


@pytest.fixture
def model() -> Everything:
    torch.manual_seed(0)
    return Everything()


@pytest.fixture
def maps() -> Tensor:
    return torch.randn(2, 4, 5, 8, generator=torch.Generator().manual_seed(0))


def gradients(function: nn.Module, model: nn.Module, maps: Tensor) -> list[Tensor]:
    output = function(maps)
    return [output, *torch.autograd.grad(output.square().sum(), list(model.parameters()))]


def test_compile_with_inductor(model: Everything, maps: Tensor):
    own = gradients(torch.compile(model, fullgraph=True), model, maps)  # type: ignore[arg-type]
    for mine, other in zip(own, gradients(model, model, maps), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)


def test_export(model: Everything, maps: Tensor):
    program = torch.export.export(model.eval(), (maps,))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert {f"bev_ops.{op}.default" for op in ("dcnv3", "ms_deform_attn", "bev_cross_attention")} <= called
    torch.testing.assert_close(program.module()(maps), model(maps))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_of_the_layer(model: Everything, maps: Tensor, dtype: torch.dtype):
    layer = model.layer
    with torch.autocast("cpu", dtype):
        own = gradients(layer, layer, maps)
    assert own[0].dtype == dtype
    for mine, other in zip(own, gradients(layer, layer, maps), strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine.float(), other, atol=0.1 * other.abs().max().item(), rtol=0.1)


def test_empty_batch(model: Everything):
    maps = torch.zeros(0, 4, 5, 8, requires_grad=True)
    output = model.layer(maps)
    assert output.shape == (0, 4, 5, 8)
    output.sum().backward()


def test_more_than_2_31_elements():
    """Addresses are 64 bits wide: the last window of a map of 2.2 billion numbers."""
    size, channels, window = 1200, 1536, {"kernel_size": 3, "stride": 1197, "dilation": 1, "groups": 48}
    maps = torch.zeros(1, size, size, channels, dtype=torch.bfloat16)
    corner, _ = random_dcnv3(1, (3, 3), 48, 32, torch.float32)
    maps[:, -3:, -3:] = corner[0].bfloat16()
    offset = torch.randn(1, 2, 2, 48 * 18, generator=torch.Generator().manual_seed(0)).div_(4)
    mask = torch.ones(1, 2, 2, 48 * 9)
    assert maps.numel() > 2**31
    last = functional.dcnv3(maps, offset, mask, **window)[:, -1:, -1:]
    # The window covers the last three rows and columns; points beyond its left and top edge meet zeros.
    cut = maps[:, -6:, -6:].contiguous()
    alone = functional.dcnv3(
        cut, offset[:, -1:, -1:].repeat(1, 2, 2, 1), mask, kernel_size=3, stride=3, groups=48
    )[:, -1:, -1:]  # fmt: skip
    assert last.abs().max() > 0.1
    torch.testing.assert_close(last, alone)
