"""Tests of the box distances."""

from __future__ import annotations

import pytest
import torch

from bev.models.losses import BoxDistance


@pytest.mark.parametrize("kind", ["l1", "smooth_l1"])
def test_cost_is_the_summed_loss_of_each_pair(kind: str) -> None:
    distance = BoxDistance(kind, weight=0.6, beta=0.5)
    predicted, target = torch.randn(2, 4, 8), torch.randn(3, 8)
    pairs = distance(predicted[:, :, None], target).sum(-1)
    torch.testing.assert_close(distance.cost(predicted, target), pairs)


def test_values() -> None:
    predicted, target = torch.tensor([0.0, 0.0]), torch.tensor([0.5, -3.0])
    torch.testing.assert_close(BoxDistance("l1", weight=2.0)(predicted, target), torch.tensor([1.0, 6.0]))
    torch.testing.assert_close(BoxDistance("smooth_l1", weight=2.0)(predicted, target), torch.tensor([0.25, 5.0]))


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'l1' or 'smooth_l1', not 'giou'"):
        BoxDistance("giou")
