from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from bev.models.assigners import HungarianAssigner
from bev.models.losses import BoxDistance, FocalLoss


@pytest.fixture
def assigner() -> HungarianAssigner:
    return HungarianAssigner(FocalLoss(), BoxDistance())


def problem(queries: int, targets: int, leading: tuple[int, ...] = ()) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    logits, codes = torch.randn(*leading, queries, 3), torch.randn(*leading, queries, 10)
    return logits, codes, torch.randint(0, 3, (targets,)), torch.randn(targets, 10)


def test_least_total_cost(assigner: HungarianAssigner) -> None:
    logits, codes, labels, target_codes = problem(queries=6, targets=4)
    assigned = assigner.assign(logits, codes, labels, target_codes)
    cost = assigner.class_loss.cost(logits, labels) + assigner.distances[0].cost(codes[:, :8], target_codes[:, :8])
    best = min(sum(cost[q, t] for t, q in enumerate(chosen)) for chosen in itertools.permutations(range(6), 4))
    found = sum(cost[q, t] for q, t in enumerate(assigned.tolist()) if t >= 0)
    assert sorted(assigned.tolist()) == [-1, -1, 0, 1, 2, 3]
    torch.testing.assert_close(found, best)


def test_leading_axes_are_separate_problems(assigner: HungarianAssigner) -> None:
    logits, codes, labels, target_codes = problem(queries=7, targets=3, leading=(2, 4))
    assigned = assigner.assign(logits, codes, labels, target_codes)
    assert assigned.shape == (2, 4, 7)
    for layer, group in itertools.product(range(2), range(4)):
        alone = assigner.assign(logits[layer, group], codes[layer, group], labels, target_codes)
        assert torch.equal(assigned[layer, group], alone)


def test_more_targets_than_queries(assigner: HungarianAssigner) -> None:
    assigned = assigner.assign(*problem(queries=2, targets=5))
    assert len(set(assigned.tolist())) == 2
    assert assigned.min() >= 0


def test_no_target(assigner: HungarianAssigner) -> None:
    assert assigner.assign(*problem(queries=3, targets=0)).tolist() == [-1, -1, -1]


def test_unknown_velocity_does_not_matter(assigner: HungarianAssigner) -> None:
    logits, codes, labels, target_codes = problem(queries=5, targets=3)
    expected = assigner.assign(logits, codes, labels, target_codes)
    target_codes[1, 8:] = float("nan")
    assert torch.equal(assigner.assign(logits, codes, labels, target_codes), expected)


def test_non_finite_predictions_and_targets_are_named(assigner: HungarianAssigner) -> None:
    logits, codes, labels, target_codes = problem(queries=5, targets=3)
    logits[2, 1] = float("inf")
    codes[0, 3] = float("nan")
    with pytest.raises(FloatingPointError, match=r"1 class logits and 1 numbers of predicted boxes.*training diverged"):
        assigner.assign(logits, codes, labels, target_codes)
    logits, codes, labels, target_codes = problem(queries=5, targets=3)
    target_codes[1, 2] = float("-inf")
    with pytest.raises(FloatingPointError, match=r"ground-truth boxes \[1\] have a non-finite"):
        assigner.assign(logits, codes, labels, target_codes)
