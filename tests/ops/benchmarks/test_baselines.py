"""The formulations that the operators are measured against compute the same."""

from __future__ import annotations

import pytest
import torch
from bev_ops import functional, reference
from bev_ops.benchmarks import baselines
from op_cases import random_bca, random_dcnv3, random_msda

SHAPES = [(5, 7), (3, 4)]


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (5, 2), (3, 0)])
def test_official_style_dcnv3(kernel: int, padding: int):
    tensors, arguments = random_dcnv3(2, (6, 9), 3, 4, kernel_size=kernel, padding=padding)
    output = baselines.official_style_dcnv3(*tensors, kernel, padding, 3)
    expected = reference.dcnv3(*tensors, **arguments)
    torch.testing.assert_close(output, expected)


def test_mmcv_style_ms_deform_attn():
    value, locations, weights = random_msda(2, 11, 3, 4, SHAPES, 5)
    output = baselines.mmcv_style_ms_deform_attn(value, SHAPES, locations, weights)
    torch.testing.assert_close(output, reference.ms_deform_attn(value, SHAPES, locations, weights))


@pytest.mark.parametrize("function", [baselines.rebatched_cross_attention, baselines.rebatched_with_kernel])
def test_rebatched_cross_attention(function):
    (values, offsets, weights), (_, splits, points, visible) = random_bca([2, 3], 9, 2, 4, SHAPES, 4, 2)
    arguments = (values, SHAPES, splits, points, visible, offsets, weights)
    torch.testing.assert_close(function(*arguments), functional.bev_cross_attention(*arguments))


@pytest.mark.parametrize("function", [baselines.rebatched_cross_attention, baselines.rebatched_with_kernel])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_rebatching_in_bfloat16_on_each_device(function, device: str):
    """Level sizes and splits stay on the CPU, reference points in float32, as in the benchmark."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    (values, offsets, weights), (_, splits, points, visible) = random_bca([2, 3], 9, 2, 4, SHAPES, 4, 2)
    values, offsets, weights = (tensor.to(device, torch.bfloat16) for tensor in (values, offsets, weights))
    output = function(values, SHAPES, splits, points.float().to(device), visible.to(device), offsets, weights)
    assert output.dtype == torch.bfloat16 and output.device == values.device
