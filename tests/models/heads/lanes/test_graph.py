from __future__ import annotations

import pytest
import torch

from bev.models.heads.lanes import LaneGraphLayer


@pytest.fixture
def layer() -> LaneGraphLayer:
    torch.manual_seed(0)
    return LaneGraphLayer(8, dropout=0.0)


def test_lanes_hear_from_successors_and_predecessors_only(layer: LaneGraphLayer) -> None:
    successors = torch.zeros(1, 4, 4)
    successors[0, 0, 1] = successors[0, 1, 2] = 1
    states = torch.randn(1, 4, 8)
    before = layer(states, successors)
    states = states.clone()
    states[0, 1] += 1
    heard = (layer(states, successors) - before).abs().amax(-1)[0] > 1e-6
    assert heard.tolist() == [True, True, True, False]


def test_direction_matters(layer: LaneGraphLayer) -> None:
    successors = torch.zeros(1, 2, 2)
    successors[0, 0, 1] = 1
    states = torch.randn(1, 1, 8).expand(1, 2, 8)
    first, second = layer(states, successors)[0]
    assert not torch.allclose(first, second)
    back = layer(states, successors.transpose(1, 2))[0]
    torch.testing.assert_close(back, torch.stack([second, first]))


def test_neighbours_are_averaged_and_doubtful_ones_count_little(layer: LaneGraphLayer) -> None:
    states = torch.randn(1, 1, 8).expand(1, 5, 8)
    many, one, doubtful, none = (torch.zeros(1, 5, 5) for _ in range(4))
    many[0, 0, 1:], one[0, 0, 1], doubtful[0, 0, 1] = 1, 1, 1e-6
    torch.testing.assert_close(layer(states, many)[0, 0], layer(states, one)[0, 0])
    torch.testing.assert_close(layer(states, doubtful)[0, 0], layer(states, none)[0, 0], atol=1e-5, rtol=0)
