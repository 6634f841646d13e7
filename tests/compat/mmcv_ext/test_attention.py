from __future__ import annotations

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttention,
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch import Tensor

SHAPES = torch.tensor([[6, 4], [3, 2]])  # height and width of each level
STARTS = torch.tensor([0, 24])
BATCH, KEYS, HEADS, CHANNELS, POINTS = 2, 30, 2, 4, 3


def random_inputs(queries: int, rng: torch.Generator) -> list[Tensor]:
    levels = len(SHAPES)
    value = torch.randn(BATCH, KEYS, HEADS, CHANNELS, dtype=torch.float64, generator=rng)
    # Some points lie outside of the image, which spans [0, 1].
    locations = torch.rand(BATCH, queries, HEADS, levels, POINTS, 2, dtype=torch.float64, generator=rng) * 1.4 - 0.2
    weights = torch.rand(BATCH, queries, HEADS, levels, POINTS, dtype=torch.float64, generator=rng)
    return [tensor.requires_grad_() for tensor in (value, locations, weights)]


@pytest.mark.parametrize("queries", [5, 0])
def test_extension_matches_mmcv_in_pytorch(queries: int, rng: torch.Generator) -> None:
    value, locations, weights = inputs = random_inputs(queries, rng)
    output = MultiScaleDeformableAttnFunction.apply(value, SHAPES, STARTS, locations, weights, 64)
    expected = multi_scale_deformable_attn_pytorch(value, SHAPES, locations, weights)
    assert output.shape == (BATCH, queries, HEADS * CHANNELS)
    torch.testing.assert_close(output, expected)

    cotangent = torch.randn(output.shape, dtype=torch.float64, generator=rng)
    gradients = torch.autograd.grad(output, inputs, cotangent)
    for gradient, reference in zip(gradients, torch.autograd.grad(expected, inputs, cotangent), strict=True):
        torch.testing.assert_close(gradient, reference)


def test_module_runs_forward_and_backward(rng: torch.Generator) -> None:
    layer = MultiScaleDeformableAttention(embed_dims=8, num_heads=2, num_levels=2, num_points=3, batch_first=True)
    queries = torch.randn(BATCH, 5, 8, generator=rng, requires_grad=True)
    keys = torch.randn(BATCH, KEYS, 8, generator=rng, requires_grad=True)
    references = torch.rand(BATCH, 5, 2, 2, generator=rng)
    output = layer(queries, value=keys, reference_points=references, spatial_shapes=SHAPES, level_start_index=STARTS)
    assert output.shape == queries.shape
    output.square().sum().backward()
    assert keys.grad.any()
    assert all(parameter.grad is not None for parameter in layer.parameters())
