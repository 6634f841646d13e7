from __future__ import annotations

import math

import torch

from bev.models.heads.lanes.relations import EndGap, PairRelation
from bev.models.losses import FocalLoss


def test_every_pair_is_judged_like_two_partners_side_by_side() -> None:
    torch.manual_seed(0)
    relation = PairRelation(8, hidden_dims=4)
    subjects, objects = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    logits = relation(subjects, objects)
    assert logits.shape == (2, 3, 5)
    side_by_side = torch.cat([relation.subject(subjects[1, 2]), relation.object(objects[1, 4])])
    torch.testing.assert_close(logits[1, 2, 4], relation.classifier(side_by_side)[0])


def test_loss_is_the_mean_over_all_pairs() -> None:
    torch.manual_seed(0)
    relation = PairRelation(8, loss={"weight": 5.0})
    logits, related = torch.randn(2, 3, 5), torch.rand(2, 3, 5) > 0.5
    torch.testing.assert_close(relation.loss(logits, related), FocalLoss(weight=5.0)(logits, related).sum() / 30)


def test_the_end_gap_by_hand() -> None:
    gap = EndGap(scale=2.0, power=2.0)
    found = gap(torch.tensor([0.0, 1.0, 2.0, 200.0]))
    torch.testing.assert_close(found, torch.tensor([1.0, math.exp(-0.25), math.exp(-1), 0.0]))


def test_the_end_gap_can_be_learned_from_zero_gaps_on() -> None:
    gap = EndGap()
    gap(torch.tensor([0.0, 1.0, 1e4])).sum().backward()
    assert all(value.grad.isfinite() and value.grad != 0 for value in gap.parameters())


def test_gaps_count_only_where_asked_for() -> None:
    torch.manual_seed(0)
    relation = PairRelation(8, end_gap=True)
    lanes, gaps = torch.randn(1, 3, 8), torch.rand(1, 3, 3)
    torch.testing.assert_close(relation(lanes, lanes, gaps) - relation(lanes, lanes), relation.end_gap(gaps))
    plain = PairRelation(8)
    assert torch.equal(plain(lanes, lanes, gaps), plain(lanes, lanes))
