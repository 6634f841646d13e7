from __future__ import annotations

import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from small_lanes import random_sample

from bev.geometry.curves import CurveCode
from bev.models.heads.lanes.targets import lane_targets, relation_targets

SIZES = torch.tensor([[100, 200]])


def test_by_hand() -> None:
    sample = random_sample(2, 2)
    truth = sample.gt_lanes
    truth.traffic_boxes = torch.tensor([[20.0, 10, 60, 30], [0, 0, 200, 100]])
    truth.lanes = torch.stack([torch.linspace(0, 10, 11)[:, None] * torch.ones(3), torch.zeros(11, 3)])
    targets = lane_targets([sample], CurveCode(), 13, SIZES)
    expected = torch.tensor([0.0, 2.5, 5, 7.5, 10]).repeat_interleave(3)
    torch.testing.assert_close(targets.lanes[0].codes, torch.stack([expected, torch.zeros(15)]))
    assert targets.lanes[0].labels.tolist() == [0, 0]
    torch.testing.assert_close(targets.traffic[0].codes, torch.tensor([[0.2, 0.2, 0.2, 0.2], [0.5, 0.5, 1, 1]]))
    assert targets.traffic[0].labels.tolist() == truth.traffic_attributes.tolist()


def test_relations_of_queries_by_hand() -> None:
    # Three lanes: 0 leads into 1, 1 into 2, 2 into itself. Query 0 has lane 1, query 2 has lane 2, query 3 lane 0.
    related = torch.tensor([[0, 1, 0], [0, 0, 1], [0, 0, 1]]).bool()
    lanes = torch.tensor([[1, -1, 2, 0]])
    found = relation_targets(lanes, lanes, [related])
    assert found.nonzero().tolist() == [[0, 0, 2], [0, 2, 2], [0, 3, 0]]
    # Two traffic elements, the second governs lane 1; only query 4 has it.
    governs = torch.tensor([[0, 0], [0, 1], [0, 0]]).bool()
    found = relation_targets(lanes, torch.tensor([[0, -1, -1, -1, 1]]), [governs])
    assert found.shape == (1, 4, 5)
    assert found.nonzero().tolist() == [[0, 0, 4]]


def test_no_target_gives_no_relation() -> None:
    nobody = torch.full((2, 4), -1)
    found = relation_targets(nobody, nobody[:, :3], [torch.zeros(0, 0).bool(), torch.ones(5, 2).bool()])
    assert found.shape == (2, 4, 3)
    assert not found.any()


def test_empty_ground_truth() -> None:
    targets = lane_targets([random_sample(0, 0)], CurveCode(), 13, SIZES)
    assert targets.lanes[0].codes.shape == (0, 15)
    assert targets.traffic[0].codes.shape == (0, 4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("topology_lclc", torch.zeros(2, 3), r"a-token: 3 lanes, 2 traffic boxes .* shapes \(2, 3\) and \(3, 2\)"),
        ("topology_lcte", torch.zeros(2, 3), r"a-token: 3 lanes, 2 traffic boxes .* shapes \(3, 3\) and \(2, 3\)"),
        ("traffic_attributes", torch.zeros(3), "2 traffic boxes and 3 attributes"),
        ("traffic_attributes", torch.tensor([12, 13]), r"attributes \[13\] do not fit a head of 13"),
        ("traffic_boxes", torch.tensor([[0.0, 0, 1, 1], [5, 5, 5, 9]]), r"traffic_boxes \[1\] have no area"),
        ("traffic_boxes", torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, float("inf")]]), r"traffic_boxes \[1\] are not fin"),
        ("lanes", torch.zeros(3, 11, 3).index_fill(0, torch.tensor([0]), float("nan")), r"lanes \[0\] are not finite"),
        ("lanes", torch.zeros(3, 4, 3), "4 points do not determine a Bezier curve"),
    ],
)
def test_contradictions_are_refused(name: str, value: torch.Tensor, message: str) -> None:
    sample = random_sample(3, 2)
    setattr(sample.gt_lanes, name, value)
    with pytest.raises(ValueError, match=message):
        lane_targets([sample], CurveCode(), 13, SIZES)


def test_samples_without_ground_truth_are_named() -> None:
    with pytest.raises(ValueError, match="sample abc has no gt_lanes"):
        lane_targets([Det3DDataSample(metainfo={"sample_token": "abc"})], CurveCode(), 13, SIZES)
