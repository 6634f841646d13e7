from __future__ import annotations

import torch

from bev.models.losses import BoxOverlap


def test_by_hand() -> None:
    # Unit squares: the same; side by side, in a full hull of 2 x 1; 2 apart, so that half of the hull is empty.
    ours = torch.tensor([[0.5, 0.5, 1, 1], [0.5, 0.5, 1, 1], [0.5, 0.5, 1, 1], [0.5, 0.5, 1, 1]])
    theirs = torch.tensor([[0.5, 0.5, 1, 1], [1.5, 0.5, 1, 1], [3.5, 0.5, 1, 1], [1.0, 0.5, 1, 1]])
    # The last: overlap 1/2, union 3/2, hull 3/2.
    expected = torch.tensor([0.0, 1.0, 1.5, 1 - 1 / 3])
    torch.testing.assert_close(BoxOverlap()(ours, theirs), expected)
    torch.testing.assert_close(BoxOverlap(weight=2.0)(ours, theirs), 2 * expected)


def test_the_unit_of_each_axis_does_not_matter() -> None:
    torch.manual_seed(0)
    first, second = torch.rand(2, 50, 4)
    stretch = torch.tensor([1600.0, 900.0, 1600.0, 900.0])
    torch.testing.assert_close(BoxOverlap()(first * stretch, second * stretch), BoxOverlap()(first, second))


def test_cost_is_the_loss_of_every_pair() -> None:
    torch.manual_seed(0)
    queries, targets = torch.rand(2, 6, 4), torch.rand(3, 4)
    cost = BoxOverlap().cost(queries, targets)
    assert cost.shape == (2, 6, 3)
    torch.testing.assert_close(cost[1, 4, 2], BoxOverlap()(queries[1, 4], targets[2]))


def test_boxes_without_area_are_finite() -> None:
    empty = torch.tensor([[0.5, 0.5, 0.0, 0.0]], requires_grad=True)
    loss = BoxOverlap()(empty, torch.tensor([[0.5, 0.5, 0.1, 0.1]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert empty.grad.isfinite().all()
