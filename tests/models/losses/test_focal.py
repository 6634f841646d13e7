"""Tests of the focal loss and its matching cost."""

from __future__ import annotations

import torch
from torchvision.ops import sigmoid_focal_loss

from bev.models.losses import FocalLoss


def test_loss_equals_torchvision() -> None:
    logits = torch.randn(3, 7, 5) * 4
    positive = torch.rand(3, 7, 5) < 0.3
    expected = 2.0 * sigmoid_focal_loss(logits, positive.float(), alpha=0.25, gamma=2.0)
    torch.testing.assert_close(FocalLoss()(logits, positive), expected)


def test_a_share_lies_between_the_two_losses() -> None:
    logits, share = torch.randn(5, 3), torch.rand(5, 3)
    yes, no = (FocalLoss()(logits, torch.full((5, 3), value)) for value in (True, False))
    torch.testing.assert_close(FocalLoss()(logits, share), share * yes + (1 - share) * no)
    torch.testing.assert_close(FocalLoss()(logits, torch.ones(5, 3)), yes)


def test_cost_is_the_change_of_the_loss_when_a_query_becomes_positive() -> None:
    loss = FocalLoss(alpha=0.3, gamma=1.5, weight=0.7)
    logits, labels = torch.randn(6, 4), torch.tensor([2, 0, 2])
    cost = loss.cost(logits, labels)
    assert cost.shape == (6, 3)
    for query in range(6):
        for target, label in enumerate(labels):
            background = torch.zeros(6, 4, dtype=torch.bool)
            found = background.clone()
            found[query, label] = True
            change = loss(logits, found).sum() - loss(logits, background).sum()
            torch.testing.assert_close(cost[query, target], change)


def test_extreme_logits_give_finite_loss_and_gradient() -> None:
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    FocalLoss()(logits, torch.tensor([True, False])).sum().backward()
    assert torch.isfinite(logits.grad).all()
