from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from bev_ops.reference import ms_deform_attn
from torch import nn

from bev.models.attention import TemporalQueue, TemporalSelfAttention

B, H, W, C, HEADS, POINTS = 2, 3, 5, 8, 2, 4
Q = H * W


@pytest.fixture
def attention() -> TemporalSelfAttention:
    torch.manual_seed(0)
    module = TemporalSelfAttention(C, HEADS, POINTS, dropout=0.0)
    for layer in (module.sampling.sampling_offsets, module.sampling.attention_weights):
        nn.init.normal_(layer.weight)
    return module.double()


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid((torch.arange(H) + 0.5) / H, (torch.arange(W) + 0.5) / W, indexing="ij")
    centres = torch.stack([x, y], -1).reshape(1, Q, 1, 2).double()
    query = torch.randn(B, Q, C, generator=generator, dtype=torch.double)
    return query, torch.randn(Q, C, generator=generator, dtype=torch.double), centres


def attend_map_by_map(attention: TemporalSelfAttention, previous, current, query, position, centres) -> torch.Tensor:
    """Attend to each map with its own softmax, then average (BEVFormer, equation 5)."""
    sampling = attention.sampling
    conditioned = torch.cat([previous, query + position], -1)
    offsets = sampling.sampling_offsets(conditioned).view(B, Q, HEADS, 2, POINTS, 2)
    scores = sampling.attention_weights(conditioned).view(B, Q, HEADS, 2, POINTS)
    size = torch.tensor([W, H], dtype=torch.double)
    reads = [
        ms_deform_attn(
            sampling.value_proj(values).view(B, Q, HEADS, -1),
            [(H, W)],
            centres[:, :, None, None] + offsets[:, :, :, i, None] / size,
            scores[:, :, :, i, None].softmax(-1),
        )
        for i, values in enumerate((previous, current))
    ]
    return query + attention.output_proj(sum(reads) / 2)


def queue_of(previous: torch.Tensor, current: torch.Tensor, shift=(0.0, 0.0), valid=True) -> TemporalQueue:
    batch = len(previous)
    shifts = torch.tensor(shift, dtype=previous.dtype).expand(batch, 2)
    return TemporalQueue(previous, current, shifts, torch.as_tensor(valid).expand(batch))


def test_averages_the_readings_of_both_maps(attention):
    query, position, centres = inputs()
    previous, current = torch.randn_like(query), torch.randn_like(query)
    expected = attend_map_by_map(attention, previous, current, query, position, centres)
    torch.testing.assert_close(attention(query, position, centres, (H, W), queue_of(previous, current)), expected)


def test_without_a_previous_map_both_are_the_queries(attention):
    query, position, centres = inputs()
    expected = attend_map_by_map(attention, query, query, query, position, centres)
    torch.testing.assert_close(attention(query, position, centres, (H, W)), expected)


def test_a_batch_of_two_equals_two_single_runs(attention):
    query, position, centres = inputs()
    queue = queue_of(torch.randn_like(query), torch.randn_like(query), shift=(0.3, -0.2))
    both = attention(query, position, centres, (H, W), queue)
    for b in range(B):
        tensors = {name: value[b : b + 1] for name, value in vars(queue).items() if isinstance(value, torch.Tensor)}
        part = replace(queue, **tensors)
        single = attention(query[b : b + 1], position, centres, (H, W), part)
        torch.testing.assert_close(single, both[b : b + 1])


def test_a_shift_moves_the_reading_of_the_previous_map(attention):
    query, position, centres = inputs()
    previous, current = torch.randn_like(query), torch.randn_like(query)
    moved = previous.view(B, H, W, C).roll(1, dims=2)
    moved[:, :, 0] = 0
    # Offsets and weights depend on the previous features at the query's own place, which change: switch both off.
    for layer in (attention.sampling.sampling_offsets, attention.sampling.attention_weights):
        layer.weight.data.zero_()
    attention.sampling.sampling_offsets.bias.data.zero_()
    attention.sampling.value_proj.bias.data.zero_()
    expected = attention(query, position, centres, (H, W), queue_of(previous, current))
    found = attention(query, position, centres, (H, W), queue_of(moved.view(B, Q, C), current, shift=(1 / W, 0.0)))
    inner = torch.arange(Q) % W < W - 1
    torch.testing.assert_close(found[:, inner], expected[:, inner])


def test_both_maps_are_read_at_the_shifted_place_where_the_weights_want_that(attention):
    query, _, centres = inputs()
    shift = (0.3, -0.2)
    queue = replace(queue_of(query, query, shift=shift), shift_current=True)
    points = queue.reference_points(centres)
    torch.testing.assert_close(points[:, :, 0], (centres + torch.tensor(shift)).expand(B, -1, -1, -1))
    torch.testing.assert_close(points[:, :, 1], points[:, :, 0])
    apart = replace(queue, shift_current=False).reference_points(centres)
    torch.testing.assert_close(apart[:, :, 1], centres.expand(B, -1, -1, -1))


def test_samples_without_a_previous_map_read_their_queries(attention):
    query, position, centres = inputs()
    queue = queue_of(torch.randn_like(query), torch.randn_like(query), (0.1, 0.1), torch.tensor([True, False]))
    queue = replace(queue, shift=queue.shift * queue.valid[:, None])
    mixed = attention(query, position, centres, (H, W), queue)
    torch.testing.assert_close(mixed[1:], attention(query[1:], position, centres, (H, W)))
    assert (mixed[0] - attention(query, position, centres, (H, W))[0]).abs().max() > 1e-3
