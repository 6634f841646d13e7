"""The benchmark of backbones: what it counts, and that the stock model is the same function."""

from __future__ import annotations

import json

import pytest
import torch
from bev_ops import backends, use_reference
from bev_ops.benchmarks.measure import Machine
from torch import nn

from bev.engine.backbone_benchmark import measure_backbone, part_of, parts_of, product_flops, report, threads
from bev.models.backbones.internimage import build_internimage


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_internimage("t", out_indices=(0, 1), channels=32, depths=(1, 1), groups=(2, 4)).eval()


def test_record(model: nn.Module):
    record = measure_backbone("tiny", model, torch.randn(2, 3, 32, 64), Machine(100.0, 10.0), torch.float32, 1)
    fields = json.loads(json.dumps(record.as_json()))
    assert {"op", "shape", "dtype", "device", "pass", "milliseconds", "reference_milliseconds", "ratio"} <= set(fields)
    assert fields["pass"] == "forward" and fields["shape"] == "2x3x32x64"
    assert fields["peak_bytes"] > 0
    assert fields["ratio"] == pytest.approx(fields["reference_milliseconds"] / fields["milliseconds"])
    assert any("matrix products" in line for line in report(record))


def test_flops_of_products():
    layers = nn.Sequential(nn.Linear(8, 16, bias=False), nn.Linear(16, 4))
    assert product_flops(lambda: layers(torch.zeros(5, 8))) == 2 * 5 * (8 * 16 + 16 * 4)
    assert product_flops(lambda: nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 5, 5))) == 0


def test_parts(model: nn.Module):
    with torch.inference_mode():
        parts = parts_of(lambda: model(torch.randn(1, 3, 32, 64)), "cpu")
    assert {"matrix products", "norm and activation", "depthwise convolution", "dense convolution"} <= set(parts)
    if backends()["dcnv3"]["cpu"] == "compiled":
        assert "sampling" in parts
    assert part_of("aten::mkldnn_convolution", [[1, 8, 4, 4], [8, 1, 3, 3]]) == "depthwise convolution"
    assert part_of("aten::mkldnn_convolution", [[1, 8, 4, 4], [16, 8, 3, 3]]) == "dense convolution"
    assert part_of("aten::mkldnn_convolution", [[1, 8, 16, 1], [16, 8, 1, 1]]) == "matrix products"
    assert part_of("aten::view", []) == "rest"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_stock_layers_give_the_same(model: nn.Module, dtype: torch.dtype):
    images = torch.randn(2, 3, 32, 64)
    with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        own = model(images)
        with use_reference():
            stock = model(images)
    tolerance = 1e-5 if dtype == torch.float32 else 0.1
    for mine, theirs in zip(own, stock, strict=True):
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=tolerance)


def test_threads_are_restored():
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
