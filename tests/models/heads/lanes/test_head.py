from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from small_lanes import GRID, one_sample, random_sample, small_features, small_head

from bev.geometry import image_affine
from bev.models.heads.lanes.targets import lane_targets
from bev.models.losses import PRIOR_LOGIT, FocalLoss

OPTIONS = [
    {},
    {"graph": True, "end_gap": True, "refine": True},
    {"kind": "points", "num_control": 11},
    {"proposals": True, "end_joint": True, "refine": True, "quality_scale": 2.5},
]


@pytest.mark.parametrize("options", OPTIONS)
@torch.no_grad()
def test_a_batch_of_two_equals_two_single_runs(options: dict) -> None:
    head, features = small_head(**options).eval(), small_features(2)
    samples = [Det3DDataSample(), Det3DDataSample()]
    both = head.predict(head(features), samples)
    for index, found in enumerate(both):
        alone = head.predict(head(one_sample(features, index)), samples[:1])[0]
        for name, value in found.items():
            # Convolutions of a batch add up in another order, which moves points tens of metres away by 0.01 mm.
            torch.testing.assert_close(
                alone.get(name), value, rtol=1e-5, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
            )


@pytest.mark.parametrize("options", OPTIONS)
def test_gradients_reach_every_parameter(options: dict) -> None:
    head = small_head(**options)
    losses = head.loss(head(small_features(2)), [random_sample(3, 2, 0), random_sample(4, 3, 1)])
    sum(losses.values()).backward()
    still = [name for name, value in head.named_parameters() if value.grad is None or not value.grad.any()]
    assert not still


@pytest.mark.parametrize(("lanes", "elements"), [(0, 0), (3, 0), (0, 2)])
def test_nothing_to_find_is_learned_from_too(lanes: int, elements: int) -> None:
    head = small_head(graph=True)
    losses = head.loss(head(small_features(1)), [random_sample(lanes, elements)])
    assert all(value.isfinite() for value in losses.values())
    assert bool(losses["lane.loss_curve"]) == bool(lanes)
    assert bool(losses["traffic.loss_bbox"]) == bool(elements)
    for name in ("lane.loss_cls", "traffic.loss_cls", "loss_lane_lane", "loss_lane_traffic", "d0.loss_lane_lane"):
        assert losses[name] > 0
    sum(losses.values()).backward()


def test_scores_learn_how_well_lanes_are_met() -> None:
    """At exp(-1) for a lane that is moved aside by the scale, as the loss's slope there says."""
    head = small_head(quality_scale=2.0)
    outputs, sample = head(small_features(1)), random_sample(1, 0)
    target = lane_targets([sample], head.lanes.code, 13, torch.tensor([[32.0, 64.0]])).lanes[0]
    aside = target.codes.unflatten(-1, (-1, 3)) + torch.tensor([0.0, 2.0, 0.0])
    codes = aside.flatten(-2).expand_as(outputs.lanes.codes)
    for share, moved in ((1.0, target.codes.expand_as(codes)), (math.exp(-1), codes)):
        logits = torch.full_like(outputs.lanes.logits, -1.0)
        losses, matched = head.lanes.loss(replace(outputs.lanes, codes=moved, logits=logits), [target])
        expected = FocalLoss(weight=1.5)(logits[-1], share * matched.positive[-1].float()).sum()
        torch.testing.assert_close(losses["loss_cls"], expected)
    with pytest.raises(ValueError, match="quality_scale is a positive number of metres, not 0"):
        small_head(quality_scale=0.0)


def test_half_the_precision_is_enough() -> None:
    head, features = small_head(graph=True, end_gap=True), small_features(2)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = head(features)
    losses = head.loss(outputs, [random_sample(3, 2, 0), random_sample(4, 3, 1)])
    exact = head.loss(head(features), [random_sample(3, 2, 0), random_sample(4, 3, 1)])
    assert float(sum(losses.values())) == pytest.approx(float(sum(exact.values())), rel=0.05)
    sum(losses.values()).backward()


def test_names_of_the_losses() -> None:
    head = small_head()
    features, sample = small_features(1), random_sample(3, 2)
    names = {"lane.loss_cls", "lane.loss_curve", "traffic.loss_cls", "traffic.loss_bbox", "traffic.loss_iou"}
    earlier = {name.replace(".", ".d0.") for name in names}
    relations = {"loss_lane_lane", "loss_lane_traffic"}
    assert set(head.loss(head(features), [sample])) == names | earlier | relations
    graph = small_head(graph=True)
    rounds = {"d0.loss_lane_lane", "d1.loss_lane_lane"}
    assert set(graph.loss(graph(features), [sample])) == names | earlier | relations | rounds


def test_learns_one_scene() -> None:
    head, features = small_head(graph=True, end_gap=True), small_features(1)
    sample = random_sample(3, 2, size=(32, 64))
    truth = sample.gt_lanes
    # A chain: each lane ends where the next one begins.
    truth.lanes = torch.linspace(0, 1, 31)[:, None] * torch.tensor([30.0, 6.0, 1.0]) - torch.tensor([15.0, 0, 0])
    truth.lanes = torch.stack([truth.lanes[first : first + 11] for first in (0, 10, 20)])
    truth.topology_lclc = torch.tensor([[0, 1, 0], [0, 0, 1], [0, 0, 0]]).bool()
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    for _ in range(300):
        loss = sum(head.loss(head(features), [sample]).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    found = head.predict(head(features), [sample])[0]
    assert (found.lane_scores > 0.5).sum() == 3
    assert (found.traffic_scores > 0.5).sum() == 2
    distance = (found.lanes[:3, None] - truth.lanes).norm(dim=-1).mean(-1)
    lanes = distance.argmin(1)
    assert sorted(lanes.tolist()) == [0, 1, 2]
    assert distance.amin(1).max() < 1.0
    elements = [truth.traffic_attributes.tolist().index(label) for label in found.traffic_attributes[:2].tolist()]
    torch.testing.assert_close(found.traffic_boxes[:2], truth.traffic_boxes[elements], atol=2.0, rtol=0)
    assert torch.equal(found.topology_lclc[:3, :3] > 0.5, truth.topology_lclc[lanes][:, lanes])
    assert torch.equal(found.topology_lcte[:3, :2] > 0.5, truth.topology_lcte[lanes][:, elements])


@torch.no_grad()
def test_proposed_lanes_are_what_the_decoder_corrects() -> None:
    head, features = small_head(proposals=True, refine=True).eval(), small_features(2)
    for branches, bias in ((head.lanes.reg_branches, 0.0), (head.lanes.cls_branches, PRIOR_LOGIT)):
        for branch in branches:
            torch.nn.init.zeros_(branch[-1].weight)
            torch.nn.init.constant_(branch[-1].bias, bias)
    outputs = head(features).lanes
    control = GRID.denormalise(outputs.queries.reference.unflatten(-1, (-1, 3))).flatten(-2)
    torch.testing.assert_close(outputs.codes, control.expand(2, -1, -1, -1), atol=1e-4, rtol=0)
    torch.testing.assert_close(outputs.logits[-1], outputs.queries.class_prior + PRIOR_LOGIT)


def test_proposals_have_losses_of_their_own() -> None:
    head, features = small_head(proposals=True), small_features(1)
    losses = head.loss(head(features), [random_sample(3, 2)])
    assert losses["lane.loss_heatmap"] > 0
    assert losses["lane.loss_proposal"] > 0


@torch.no_grad()
def test_predictions_are_sorted_limited_and_on_the_grid() -> None:
    head = small_head().eval()
    head.max_lanes, head.max_traffic_elements = 4, 3
    features = small_features(2)
    for found in head.predict(head(features), [Det3DDataSample(), Det3DDataSample()]):
        assert found.lanes.shape == (4, 11, 3)
        assert found.traffic_boxes.shape == (3, 4)
        assert found.topology_lclc.shape == (4, 4)
        assert found.topology_lcte.shape == (4, 3)
        assert found.lane_scores.tolist() == sorted(found.lane_scores.tolist(), reverse=True)
        assert found.traffic_scores.tolist() == sorted(found.traffic_scores.tolist(), reverse=True)
        assert GRID.contains(found.lanes).all()


@torch.no_grad()
def test_relations_belong_to_the_lanes_they_stand_beside() -> None:
    head, features = small_head().eval(), small_features(1)
    outputs = head(features)
    found = head.predict(outputs, [Det3DDataSample()])[0]
    scores = outputs.lanes.logits[-1, 0, :, 0].sigmoid()
    for row, score in enumerate(found.lane_scores):
        query = int((scores - score).abs().argmin())
        best = outputs.lane_lane[-1, 0, query].sigmoid()
        torch.testing.assert_close(found.topology_lclc[row].sort().values, best.sort().values)
        torch.testing.assert_close(found.topology_lclc[row, row], best[query])


@torch.no_grad()
def test_boxes_are_those_of_the_image_file() -> None:
    head, features = small_head().eval(), small_features(1)
    outputs = head(features)
    plain = head.predict(outputs, [Det3DDataSample()])[0].traffic_boxes
    # The image file is larger by 10 pixels at the left and 20 at the top, then halved, then flipped.
    affine = image_affine(flip_width=64) @ image_affine(scale=(0.5, 0.5), crop=(10, 20))
    file_pix_T_bev = np.eye(4)
    file_pix_T_bev[:3, :3] = [[500.0, 0, 300], [0, 500, 200], [0, 0, 1]]
    clip = features.images.clip
    projections = clip.pix_T_bev.clone()
    projections[:, :, 0] = torch.from_numpy(affine @ file_pix_T_bev).float()
    seen = replace(outputs, clip=replace(clip, pix_T_bev=projections))
    sample = Det3DDataSample(metainfo={"file_pix_T_bev": np.stack([file_pix_T_bev, np.eye(4)])})
    found = head.predict(seen, [sample])[0].traffic_boxes
    left, top, right, bottom = plain.unbind(1)
    expected = torch.stack([64 - right + 10, top + 20, 64 - left + 10, bottom + 20], dim=1) * 2
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=0)


@torch.no_grad()
def test_without_front_image_there_are_no_traffic_elements() -> None:
    head, features = small_head().eval(), small_features(1)
    clip = features.images.clip
    clip.camera_mask[0, 0, 0], clip.image_sizes[0, 0, 0] = False, 0
    for level in features.images.levels:
        level[0, 0, 0] = 0
    found = head.predict(head(features), [Det3DDataSample()])[0]
    assert found.traffic_boxes.shape == (0, 4)
    assert found.topology_lcte.shape == (6, 0)
    assert found.lanes.isfinite().all()


@torch.no_grad()
def test_predictions_that_are_not_finite_are_refused() -> None:
    head, features = small_head().eval(), small_features(1)
    outputs = head(features)
    outputs.lanes.codes[-1, 0, 2, 0] = float("nan")
    with pytest.raises(FloatingPointError, match="lane head's predictions are not finite"):
        head.predict(outputs, [Det3DDataSample()])
