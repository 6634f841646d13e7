from __future__ import annotations

import math

import torch

from bev.models.heads.lanes.relations import EndGap, EndJoint, PairRelation, lane_joints
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


def test_joints_by_hand() -> None:
    # Ten metres east; from 3 m beyond and 4 m to the left northwards, 2 m higher; westwards into the first one's start.
    lanes = torch.tensor([[[0, 0, 0], [10, 0, 0]], [[13, 4, 2], [13, 9, 2]], [[5, 0, 0], [0, 0, 0]]]).float()
    found = lane_joints(lanes.flatten(1)[None])[0]
    torch.testing.assert_close(found[0, 1], torch.tensor([math.sqrt(29), 3.0, 4.0, 0.0, 1.0]))
    torch.testing.assert_close(found[2, 0], torch.tensor([0.0, 0.0, 0.0, -1.0, 0.0]))
    # From (13, 9) north to (5, 0): 9 m back, 8 m to the left, then to the left as well.
    torch.testing.assert_close(found[1, 2], torch.tensor([math.sqrt(149), -9.0, 8.0, 0.0, 1.0]))


def test_joints_are_the_same_wherever_the_lanes_lie() -> None:
    torch.manual_seed(0)
    control = 20 * torch.randn(1, 4, 5, 3)
    turn = torch.tensor([[math.cos(1), -math.sin(1), 0], [math.sin(1), math.cos(1), 0], [0, 0, 1]])
    moved = control @ turn.T + torch.tensor([30.0, -7.0, 1.0])
    torch.testing.assert_close(lane_joints(moved.flatten(2)), lane_joints(control.flatten(2)), atol=1e-3, rtol=0)


def test_what_joints_say_is_within_bounds_and_without_gradient_to_the_lanes() -> None:
    codes = torch.randn(1, 3, 15, requires_grad=True)
    assert not lane_joints(codes).requires_grad
    seen = []
    joint = EndJoint(4)
    joint.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    joint(1e4 * lane_joints(codes))
    assert seen[0].shape == (1, 3, 3, 9)
    assert seen[0][..., :7].abs().max() <= 1


def test_joints_reach_the_network_that_judges_pairs() -> None:
    torch.manual_seed(0)
    relation = PairRelation(8, hidden_dims=4, end_joint=True)
    lanes, joints = torch.randn(1, 3, 8), torch.rand(1, 3, 3, 5)
    found = relation(lanes, lanes, joints)
    joints[0, 1, 2] += 1
    changed = (relation(lanes, lanes, joints) != found)[0].nonzero().tolist()
    assert changed == [[1, 2]]


def test_gaps_count_only_where_asked_for() -> None:
    torch.manual_seed(0)
    relation = PairRelation(8, end_gap=True)
    lanes, joints = torch.randn(1, 3, 8), torch.rand(1, 3, 3, 5)
    added = relation(lanes, lanes, joints) - relation(lanes, lanes)
    torch.testing.assert_close(added, relation.end_gap(joints[..., 0]))
    plain = PairRelation(8)
    assert torch.equal(plain(lanes, lanes, joints), plain(lanes, lanes))
