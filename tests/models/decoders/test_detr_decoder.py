from __future__ import annotations

import torch
from torch import Tensor

from bev.geometry.grid import BEVGrid
from bev.models.decoders import DETRDecoder
from bev.models.decoders.detr_decoder import GroupSelfAttention
from bev.structures import BEVFeatures

GRID = BEVGrid((-8.0, -6.0, -3.0, 8.0, 6.0, 3.0), (6, 8))


def small_decoder(num_queries: int = 4, num_groups: int = 1) -> DETRDecoder:
    torch.manual_seed(0)
    queries = {"type": "LearnedQueries", "embed_dims": 16, "num_queries": num_queries, "num_groups": num_groups}
    return DETRDecoder(queries, 2, embed_dims=16, num_heads=2, num_points=2, feedforward_channels=24, dropout=0.0)


def shift(layer: int, states: Tensor, reference: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    return (states, reference), reference + 0.1 * states[..., :3].sigmoid()


def test_references_are_refined_and_detached_between_layers() -> None:
    decoder = small_decoder()
    features = BEVFeatures(torch.randn(2, 16, 6, 8), GRID)
    first, second = decoder(decoder.queries(features), features, shift)
    torch.testing.assert_close(second[1], first[1] + 0.1 * first[0][..., :3].sigmoid())
    assert first[1].requires_grad  # of the initial reference points, which are learned
    assert not second[1].requires_grad


def test_a_group_gives_in_training_what_it_gives_alone() -> None:
    decoder = small_decoder(num_queries=4, num_groups=3)
    features = BEVFeatures(torch.randn(2, 16, 6, 8), GRID)
    together = decoder(decoder.queries(features), features, shift)[-1][0]
    alone = decoder.eval()(decoder.queries(features), features, shift)[-1][0]
    assert together.shape == (2, 12, 16)
    torch.testing.assert_close(together[:, :4], alone)


def test_self_attention_depends_on_all_queries_of_the_group_only() -> None:
    torch.manual_seed(0)
    attention = GroupSelfAttention(16, 2, dropout=0.0).eval()
    states, position = torch.randn(1, 6, 16), torch.randn(1, 6, 16)
    before = attention(states, position, num_groups=2)
    states[:, 5] += 1
    changed = (attention(states, position, num_groups=2) - before).abs().amax(-1)[0] > 1e-6
    assert changed.tolist() == [False] * 3 + [True] * 3


def test_a_query_reads_the_map_at_its_reference_point() -> None:
    decoder = small_decoder()
    layer = decoder.layers[0].cross_attention
    values = torch.zeros(1, 6, 8, 16, requires_grad=True)
    reference = torch.tensor([[[(6 + 0.5) / 8, (1 + 0.5) / 6]]])  # column 6, row 1
    torch.nn.init.zeros_(layer.sampling.sampling_offsets.bias)
    read = layer(torch.randn(1, 1, 16), values.flatten(1, 2), reference, [(6, 8)])
    read.sum().backward()
    assert values.grad.abs().sum(-1)[0].gt(1e-6).nonzero().tolist() == [[1, 6]]
