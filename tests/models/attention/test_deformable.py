from __future__ import annotations

import pytest
import torch
from torch import nn

from bev.models.attention import DeformableAttention, DeformableSampling


def test_reads_the_value_at_the_reference_point():
    # All offsets zero, and projections that change nothing: at a cell's centre the result is that cell's value.
    attention = DeformableAttention(embed_dims=8, num_heads=2, dropout=0.0).eval()
    nn.init.zeros_(attention.sampling.sampling_offsets.bias)
    nn.init.eye_(attention.sampling.value_proj.weight)
    nn.init.eye_(attention.output_proj.weight)
    height, width, row, column = 3, 5, 1, 4
    values = torch.randn(1, height * width, 8)
    query = torch.randn(1, 1, 8)
    centre = torch.tensor([[[(column + 0.5) / width, (row + 0.5) / height]]])
    expected = query + values[:, row * width + column]
    torch.testing.assert_close(attention(query, values, centre, [(height, width)]), expected, atol=1e-5, rtol=1e-5)


def test_offsets_count_in_cells_x_first():
    sampling = DeformableSampling(embed_dims=4, num_heads=1, num_points=1)
    nn.init.eye_(sampling.value_proj.weight)
    with torch.no_grad():
        sampling.sampling_offsets.bias.copy_(torch.tensor([2.0, -1.0]))
    height, width, row, column = 4, 6, 2, 1
    values = torch.randn(1, height * width, 4)
    centre = torch.tensor([[[[(column + 0.5) / width, (row + 0.5) / height]]]])
    read = sampling(torch.randn(1, 1, 4), sampling.project_values(values), centre, [(height, width)])
    torch.testing.assert_close(read[0, 0], values[0, (row - 1) * width + column + 2], atol=1e-5, rtol=1e-5)


def test_position_decides_where_to_read_and_is_not_added_to_the_output():
    attention = DeformableAttention(embed_dims=8, num_heads=2, dropout=0.0).eval()
    nn.init.zeros_(attention.output_proj.weight)
    query, position = torch.randn(2, 3, 8), torch.randn(3, 8)
    output = attention(query, torch.randn(2, 20, 8), torch.rand(2, 3, 2), [(4, 5)], position)
    torch.testing.assert_close(output, query)


def test_initial_offsets_step_outwards():
    offsets = DeformableSampling(embed_dims=8, num_heads=4, num_levels=2, num_points=3).sampling_offsets.bias
    offsets = offsets.view(4, 2, 3, 2)
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    for level in range(2):
        for point in range(3):
            torch.testing.assert_close(offsets[:, level, point], (point + 1) * expected, atol=1e-6, rtol=0)


def test_weights_add_up_to_one():
    for per_level in (False, True):
        sampling = DeformableSampling(embed_dims=8, num_heads=2, num_levels=3, softmax_per_level=per_level)
        nn.init.normal_(sampling.attention_weights.weight)
        weights = sampling.weights(torch.randn(2, 5, 8))
        torch.testing.assert_close(weights.sum((-1, -2)), torch.ones(2, 5, 2))
        if per_level:
            torch.testing.assert_close(weights.sum(-1), torch.full((2, 5, 2, 3), 1 / 3))


def test_refuses_channels_that_do_not_divide_into_heads():
    with pytest.raises(ValueError, match="embed_dims 10 is not a multiple of num_heads 4"):
        DeformableSampling(embed_dims=10, num_heads=4)


def test_boxes_stretch_the_offsets() -> None:
    torch.manual_seed(0)
    sampling = DeformableSampling(8, num_heads=4, num_levels=1, num_points=2)
    values = torch.zeros(1, 8 * 8, 4, 2, requires_grad=True)
    centre, extents = torch.tensor([[[[0.5, 0.5]]]]), torch.tensor([[[[0.5, 0.25]]]])
    # The outer points of the heads are on the borders of the box: 2 cells left or right, 1 cell above or below.
    sampling(torch.zeros(1, 1, 8), values, centre, [(8, 8)], extents).sum().backward()
    read = values.grad.abs().sum((2, 3)).view(8, 8).gt(0).nonzero()
    assert read.amin(0).tolist() == [2, 1]
    assert read.amax(0).tolist() == [5, 6]


def test_padding_is_read_as_zero() -> None:
    torch.manual_seed(0)
    attention = DeformableAttention(8, num_heads=2, num_levels=1, dropout=0.0)
    torch.nn.init.normal_(attention.sampling.value_proj.bias)
    query, values, places = torch.randn(1, 3, 8), torch.randn(1, 16, 8), torch.rand(1, 3, 2)
    padding = torch.zeros(1, 16, dtype=torch.bool)
    plain = attention(query, values, places, [(4, 4)])
    assert torch.equal(attention(query, values, places, [(4, 4)], padding=padding), plain)
    padding[:] = True
    blind = attention(query, values, places, [(4, 4)], padding=padding)
    torch.testing.assert_close(blind, query + attention.output_proj.bias)


def test_levels_can_have_places_of_their_own() -> None:
    torch.manual_seed(0)
    attention = DeformableAttention(8, num_heads=2, num_levels=2, dropout=0.0)
    query, values, places = torch.randn(1, 3, 8), torch.randn(1, 20, 8), torch.rand(1, 3, 2)
    shapes = [(4, 4), (2, 2)]
    same = attention(query, values, places[:, :, None].expand(-1, -1, 2, -1), shapes)
    torch.testing.assert_close(same, attention(query, values, places, shapes))
    moved = torch.stack([places, places + 0.3], dim=2)
    assert not torch.allclose(attention(query, values, moved, shapes), same)
