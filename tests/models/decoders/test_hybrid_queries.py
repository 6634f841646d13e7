from __future__ import annotations

import pytest
import torch
from test_dd3d_head import clip_of, features_of, projection, sample_of, small_head
from test_perceptor import GRID, PERSPECTIVE, small_clip, small_detection, small_perceptor, small_samples

from bev.geometry import BEVGrid
from bev.geometry.boxes import encode_boxes
from bev.models.decoders import HybridQueries
from bev.models.decoders.hybrid_queries import _join
from bev.models.heads.perspective.objects import Sight, image_intrinsics, objects_in_images
from bev.models.heads.perspective.proposals import ProposalOptions, propose, to_bev
from bev.structures import BEVFeatures, Proposals

BOXES = torch.tensor(
    [[[3.0, 2, 0, 4, 2, 1.5, 0.3, 1, 0], [-5, 1, 0, 4, 2, 1.5, 1.0, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0, 0]]]
)


def proposals_of(boxes: torch.Tensor, valid: list[bool]) -> Proposals:
    count = boxes.shape[1]
    scores = torch.linspace(0.9, 0.1, count).expand(len(boxes), -1)
    labels = torch.arange(count).expand(len(boxes), -1) % 3
    return Proposals(encode_boxes(boxes), scores, labels, torch.tensor(valid).expand(len(boxes), -1))


def features_with(proposals: Proposals | None, batch: int = 2) -> BEVFeatures:
    return BEVFeatures(torch.zeros(batch, 8, 6, 8), BEVGrid(**GRID), proposals)


def queries(**options) -> HybridQueries:
    torch.manual_seed(0)
    return HybridQueries(**{"embed_dims": 8, "num_classes": 3, "num_queries": 5, "num_proposals": 3, **options})


def test_proposals_join_every_group_where_they_are() -> None:
    module = queries(num_groups=2).train()
    found = module(features_with(proposals_of(BOXES.expand(2, -1, -1), [True, True, False])))
    assert found.content.shape == (2, 2 * 8, 8)
    grid = BEVGrid(**GRID)
    for group in range(2):
        reference = grid.denormalise(found.reference[:, 8 * group + 5 : 8 * group + 8])
        torch.testing.assert_close(reference[:, :2], BOXES[:, :2, :3].expand(2, -1, -1), atol=1e-5, rtol=0)
        fallback = module.fallback.weight[3 * group + 2].sigmoid()
        torch.testing.assert_close(found.reference[:, 8 * group + 7], fallback.expand(2, -1))
    assert module.eval()(features_with(proposals_of(BOXES.expand(2, -1, -1), [True] * 3))).content.shape == (2, 8, 8)


def test_the_box_prior_is_that_of_the_proposals() -> None:
    found = queries(box_prior=True).eval()(features_with(proposals_of(BOXES, [True, True, False]), batch=1))
    assert not found.code_prior[:, :5].any()
    torch.testing.assert_close(found.code_prior[0, 5:7, 2:4], encode_boxes(BOXES)[0, :2, 2:4])
    assert not found.code_prior[0, 7].any()
    assert not found.code_prior[..., [0, 1, 4]].any()


def test_peaks_of_a_heatmap_can_be_joined_too() -> None:
    base = {"type": "HeatmapQueries", "embed_dims": 8, "num_classes": 3, "num_queries": 5}
    module = queries(num_queries=None, base=base, num_groups=2).train()
    found = module(features_with(proposals_of(BOXES.expand(2, -1, -1), [True, True, False])))
    assert found.class_prior.shape == (2, 16, 3)
    assert not found.class_prior[:, 5:8].any()
    assert found.dense is not None
    with pytest.raises(ValueError, match="takes num_queries, or the config"):
        queries(base=base)


def test_refuses_missing_or_too_few_proposals() -> None:
    with pytest.raises(ValueError, match="needs proposals: set proposals_from"):
        queries()(features_with(None))
    with pytest.raises(ValueError, match="takes 4 proposals, but the perspective head makes 3: raise its max_num"):
        queries(num_proposals=4)(features_with(proposals_of(BOXES, [True] * 3)))
    with pytest.raises(ValueError, match="proposals_from is 'perspective', which is no head that proposes"):
        small_perceptor(proposals_from="perspective")


def test_ground_truth_survives_the_way_to_the_camera_and_back() -> None:
    augmentation = torch.diag(torch.tensor([-1.0, 1, 1, 1])).double().numpy()
    for clip in (clip_of(projection()), clip_of(projection(), augmentation)):
        objects = objects_in_images([sample_of()], clip, Sight())
        _, cam_T_bev = image_intrinsics(clip)
        bev_T_cam = clip.bev_augmentation[0] @ torch.linalg.inv(cam_T_bev[0])
        found = to_bev(objects.boxes, torch.ones(len(objects.labels)), bev_T_cam)
        truth = sample_of().gt_instances_3d.bboxes_3d
        expected = torch.cat([truth.gravity_center, truth.tensor[:, 3:7]], 1)
        near = torch.cdist(found[:, :3], expected[:, :3]).argmin(1)
        torch.testing.assert_close(found[:, :6], expected[near][:, :6], atol=1e-3, rtol=0)
        turn = (found[:, 6] - expected[near][:, 6]).remainder(2 * torch.pi)
        assert torch.minimum(turn, 2 * torch.pi - turn).max() < 1e-3


def test_a_head_that_knows_an_image_proposes_its_objects() -> None:
    clip, head = clip_of(projection()), small_head()
    features, sample = features_of(clip), sample_of()
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        sum(head.loss(head(features), [sample]).values()).backward()
        optimizer.step()
    options = ProposalOptions(max_num=20, score_threshold=0.2, merge_distance=3.0)
    found = propose(head.train()(features), head.decoder, head.strides, options)
    count = int(found.valid.sum())
    assert 1 <= count <= 8
    assert not found.valid[0, count:].any()
    truth = sample.gt_instances_3d.bboxes_3d.gravity_center[:2]
    distances = torch.cdist(truth[:, :2], found.codes[0, :count][:, :2])
    assert (distances.amin(1) < 3.0).all()


def test_of_two_types_the_more_precise_one_stays() -> None:
    own, proposed = torch.rand(1, 4, 3).bfloat16(), torch.rand(1, 2, 3, 3)
    joined = _join(own, proposed, groups=2).unflatten(1, (2, -1))
    assert torch.equal(joined[:, :, 2:], proposed)
    assert torch.equal(joined[:, :, :2], own.float().unflatten(1, (2, -1)))


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_two_stages_train_and_predict_together(dtype: torch.dtype | None) -> None:
    perspective = {**PERSPECTIVE, "proposals": {"max_num": 4}}
    detection = small_detection(type="HybridQueries", num_classes=3, num_proposals=4)
    model = small_perceptor(heads={"detection": detection, "perspective": perspective}, proposals_from="perspective")
    autocast = torch.autocast("cpu", dtype, enabled=dtype is not None)
    with autocast:
        losses = model.train()(small_clip(), small_samples(), mode="loss")
    model.parse_losses(losses)[0].backward()
    assert [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None] == []
    with autocast:
        found = model.eval()(small_clip(), small_samples(), mode="predict")
    assert len(found[0].pred_instances_3d.scores_3d) <= 5
