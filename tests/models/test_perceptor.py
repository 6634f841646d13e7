from __future__ import annotations

from dataclasses import replace

import golden
import golden_bevformer as reference
import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from torch import nn

import bev
from bev.errors import InputError
from bev.models.perceptor import BEVPerceptor
from bev.structures import CameraClip

GRID = {"bounds": (-8.0, -8.0, -2.0, 8.0, 8.0, 2.0), "shape": (6, 8)}
DIMS = 16


PERSPECTIVE = {
    "type": "DD3DHead",
    "num_classes": 3,
    "canonical_sizes": ((2.0, 4.0, 1.5),) * 3,
    "channels": DIMS,
    "strides": (4, 8),
    "mean_depths": (10.0, 5.0),
    "std_depths": (5.0, 2.0),
    "size_ranges": ((-1, 40), (40, 1e8)),
    "num_convs": 1,
}


def small_detection(**queries) -> dict:
    """A detection head; `queries` is the config of its queries, learned ones by default."""
    decoder = {
        "type": "DETRDecoder",
        "queries": {"type": "LearnedQueries", "embed_dims": DIMS, "num_queries": 6, **queries},
        "num_layers": 2,
        "embed_dims": DIMS,
        "num_heads": 2,
        "feedforward_channels": DIMS,
        "dropout": 0.0,
    }
    return {"type": "BEVDetectionHead", "num_classes": 3, "decoder": decoder, "max_num": 5}


def small_perceptor(num_frames: int = 1, **overrides) -> BEVPerceptor:
    bev.register_all()
    torch.manual_seed(0)
    options = {
        "backbone": {
            "type": "mmdet.ResNet",
            "depth": 18,
            "base_channels": 4,
            "num_stages": 2,
            "strides": (1, 2),
            "dilations": (1, 1),
            "out_indices": (0, 1),
            "norm_eval": False,
        },
        "neck": {"type": "mmdet.FPN", "in_channels": [4, 8], "out_channels": DIMS, "num_outs": 2},
        "encoder": {
            "type": "BEVFormerEncoder",
            "grid": GRID,
            "num_layers": 1,
            "embed_dims": DIMS,
            "num_heads": 2,
            "num_levels": 2,
            "num_cameras": 3,
            "feedforward_channels": DIMS,
            "dropout": 0.0,
        },
        "heads": {
            "detection": small_detection(),
            "perspective": {"type": "ImagePlaneHead", "embed_dims": DIMS, "num_classes": 3},
        },
    }
    if num_frames > 1:
        options["temporal"] = {"type": "TemporalFusion", "num_frames": num_frames, "embed_dims": DIMS}
    return BEVPerceptor(**{**options, **overrides}).eval()


def small_clip(batch_size: int = 2, num_frames: int = 1, current: int | None = None) -> CameraClip:
    """Three cameras at the origin that look in all directions; every sample and frame turned a little further."""
    generator = torch.Generator().manual_seed(1)
    current = num_frames - 1 if current is None else current
    yaw = (
        torch.arange(3) * 2.1 + torch.arange(num_frames)[:, None] * 0.1 + torch.arange(batch_size)[:, None, None] * 0.3
    )
    zero = torch.zeros_like(yaw)
    forward, right = torch.stack([yaw.cos(), yaw.sin(), zero], -1), torch.stack([yaw.sin(), -yaw.cos(), zero], -1)
    down = torch.tensor([0.0, 0.0, -1.0]).expand_as(right)
    matrices = torch.eye(4).repeat(*yaw.shape, 1, 1)
    matrices[..., :3, :3] = torch.stack([20 * right + 32 * forward, 20 * down + 16 * forward, forward], -2)
    images = torch.randn(*yaw.shape, 3, 32, 64, generator=generator)
    clip = reference.clip_of(images, matrices[:, :, [0, 1, 2]], current=0)
    return replace(clip, current=current)


def small_samples(batch_size: int = 2) -> list[Det3DDataSample]:
    samples = []
    for b in range(batch_size):
        box = torch.tensor([[4.0 - b, 1.0, -1.0, 4.0, 2.0, 1.5, 0.3, 1.0, 0.0]])
        instances = InstanceData(bboxes_3d=LiDARInstance3DBoxes(box, box_dim=9), labels_3d=torch.tensor([b]))
        samples.append(Det3DDataSample(gt_instances_3d=instances))
    return samples


@torch.no_grad()
def test_features_match_the_official_ones_from_images_to_bev(golden_t1):
    detector = reference.build_detector()
    images = golden.inp("bevformerv2/img", (1, 1, 6, 3, 96, 160))
    clip = reference.clip_of(images, golden_t1["in/lidar2img"][None, None])
    found = detector.extract_features(clip)
    features, pyramid = found.bev, found.images
    assert len(pyramid.levels) == 5
    for i, level in enumerate(pyramid.levels):
        golden.check(golden_t1, f"eval/img/fpn{i}", level[:, 0])
    golden.check(golden_t1, "eval/img/bev", reference.as_tokens(features.map).transpose(0, 1))


@pytest.mark.parametrize("num_frames", [1, 3])
@torch.no_grad()
def test_a_batch_of_two_equals_two_single_runs(num_frames):
    perceptor, clip = small_perceptor(num_frames), small_clip(num_frames=num_frames, current=num_frames // 2)
    clip.camera_mask[0, :, 2] = False
    if num_frames > 1:
        clip.camera_mask[1, 0] = False
    clip.bev_augmentation[0, 0, 0] = -1
    clip.image_sizes = clip.image_sizes.clone()
    clip.image_sizes[1, :, 1] = torch.tensor([24, 48])
    both = perceptor(clip)["detection"]
    for b in range(2):
        single = perceptor(clip.select_samples([b]))["detection"]
        torch.testing.assert_close(single.logits, both.logits[:, b : b + 1], atol=1e-5, rtol=0)
        torch.testing.assert_close(single.codes, both.codes[:, b : b + 1], atol=1e-5, rtol=0)


@torch.no_grad()
def test_what_an_absent_camera_holds_is_never_looked_at():
    perceptor, clip = small_perceptor(num_frames=2), small_clip(num_frames=2)
    clip.camera_mask[1, :, 0] = False
    expected = perceptor(clip)
    clip.images[1, :, 0] = float("nan")
    clip.pix_T_bev[1, :, 0] = float("nan")
    found = perceptor(clip)
    assert torch.equal(found["detection"].logits, expected["detection"].logits)
    assert found["detection"].codes.isfinite().all()


@torch.no_grad()
def test_image_features_are_zero_for_absent_cameras():
    perceptor, clip = small_perceptor(), small_clip()
    clip.camera_mask[0, 0, 1] = False
    pyramid = perceptor.extract_features(clip).images
    for level in pyramid.levels:
        assert level.shape[:3] == (2, 1, 3)
        assert not level[0, 0, 1].any()
        assert level[1, 0, 1].any()


@torch.no_grad()
def test_mirrored_images_have_the_features_of_mirrored_pictures_mirrored_back():
    """In history, too; of the samples chosen only, and with a camera missing."""
    perceptor, clip = small_perceptor(num_frames=2), small_clip(num_frames=2)
    clip.camera_mask[0, 1, 2] = False
    images = clip.images.clone()
    images[1] = images[1].flip(-1)
    chosen = replace(clip, images=images, mirrored=torch.tensor([False, True]))
    for t in range(2):
        found = perceptor.extract_images(chosen.frame(t))
        for level, plain, flipped in zip(
            found,
            perceptor.extract_images(clip.frame(t)),
            perceptor.extract_images(replace(clip, images=clip.images.flip(-1)).frame(t)),
            strict=True,
        ):
            torch.testing.assert_close(level[0], plain[0])
            torch.testing.assert_close(level[1], flipped[1].flip(-1))
    pyramids = [perceptor.extract_images(chosen.frame(t)) for t in range(2)]
    expected = perceptor.extract_features(clip, pyramids).bev.map
    torch.testing.assert_close(perceptor.extract_features(chosen).bev.map, expected)


def test_bev_heads_leave_what_is_out_of_range_to_perspective_heads():
    clip, samples = small_clip(), small_samples()
    perceptor = small_perceptor(heads={"detection": small_detection(), "perspective": PERSPECTIVE})
    near = {name: value.item() for name, value in perceptor.loss(clip, samples).items()}
    far = torch.tensor([[14.0, 1.0, -1.0, 4.0, 2.0, 1.5, 0.3, 1.0, 0.0]])
    for sample in samples:
        objects = sample.gt_instances_3d
        both = torch.cat([objects.bboxes_3d.tensor, far])
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(both, box_dim=9),
            labels_3d=torch.cat([objects.labels_3d, torch.tensor([2])]),
            in_range=torch.tensor([True, False]),
        )
    marked = {name: value.item() for name, value in perceptor.loss(clip, samples).items()}
    assert {name for name in near if near[name] != marked[name]} >= {"perspective.loss_cls"}
    assert [name for name in near if near[name] != marked[name] and name.startswith("detection.")] == []


@torch.no_grad()
def test_a_missing_history_frame_is_a_copy_of_the_current_one():
    perceptor, clip = small_perceptor(num_frames=2), small_clip(num_frames=2)
    maps = []
    perceptor.temporal.register_forward_pre_hook(lambda module, arguments: maps.append(arguments))
    clip.camera_mask[0, 0] = False
    missing = perceptor.extract_features(clip).bev.map[0]
    still = clip.select_samples([0])
    still.images[:, 0], still.pix_T_bev[:, 0], still.camera_mask[:, 0] = (
        still.images[:, 1],
        still.pix_T_bev[:, 1],
        still.camera_mask[:, 1],
    )
    torch.testing.assert_close(perceptor.extract_features(still).bev.map[0], missing, atol=1e-5, rtol=0)
    clip.camera_mask[:, 0] = False
    perceptor.extract_features(clip)
    assert maps[-1][0][0] is None, "a frame that no sample has must not be encoded"


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_losses_carry_the_name_of_their_head_and_reach_every_parameter(mixed_precision):
    perceptor = small_perceptor(num_frames=2).train()
    # With mixed precision: weights cast in the history, without gradient, must not be reused for the current frame.
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
        losses = perceptor(small_clip(num_frames=2), small_samples(), mode="loss")
    assert {"detection.loss_cls", "detection.d0.loss_bbox", "perspective.loss_centre"} <= set(losses)
    total, logged = perceptor.parse_losses(losses)
    assert set(losses) < set(logged)
    total.backward()
    without = [name for name, value in perceptor.named_parameters() if value.requires_grad and value.grad is None]
    assert without == []


@pytest.mark.parametrize("train_history", [False, True])
def test_history_is_encoded_without_gradient_and_in_evaluation_mode_unless_asked(train_history):
    perceptor = small_perceptor(num_frames=2, train_history=train_history).train()
    perceptor.encoder.layers[0].spatial_attention.eval()
    calls = []
    perceptor.encoder.register_forward_hook(
        lambda module, arguments, output: calls.append((module.training, output.requires_grad))
    )
    modes = {name: module.training for name, module in perceptor.named_modules()}
    perceptor(small_clip(num_frames=2), small_samples(), mode="loss")
    assert calls == [(train_history, train_history), (True, True)]
    assert {name: module.training for name, module in perceptor.named_modules()} == modes


def test_history_leaves_batch_statistics_alone():
    perceptor, clip = small_perceptor(num_frames=2).train(), small_clip(num_frames=2)
    means = []
    for factor in (1.0, 5.0):
        perceptor.backbone.bn1.reset_running_stats()
        clip.images[:, 0] *= factor
        perceptor(clip, small_samples(), mode="loss")
        means.append(perceptor.backbone.bn1.running_mean.clone())
    assert torch.equal(*means)


@torch.no_grad()
def test_predictions_fill_the_samples():
    perceptor, samples = small_perceptor(), small_samples()
    found = perceptor(small_clip(), samples, mode="predict")
    assert found[0] is samples[0]
    assert isinstance(found[0].pred_instances_3d.bboxes_3d, LiDARInstance3DBoxes)
    assert len(found[0].pred_instances_3d.scores_3d) <= 5
    assert len(perceptor(small_clip(), mode="predict")) == 2


def test_a_training_step_through_the_preprocessor_lowers_the_loss():
    preprocessor = {"type": "ClipPreprocessor", "mean": (0.0,) * 3, "std": (1.0,) * 3, "pad_divisor": 32}
    perceptor = small_perceptor(data_preprocessor=preprocessor).train()
    optimizer = torch.optim.AdamW(perceptor.parameters(), lr=3e-3)
    clip, totals = small_clip(), []
    for _ in range(10):
        data = perceptor.data_preprocessor({"inputs": clip, "data_samples": small_samples()}, training=True)
        total, _ = perceptor.parse_losses(perceptor(**data, mode="loss"))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.8 * totals[0]


def test_refuses_several_frames_without_fusion():
    with pytest.raises(ValueError, match="clip has 2 frames, but the model has no temporal fusion"):
        small_perceptor()(small_clip(num_frames=2))


def test_refuses_a_current_frame_without_images():
    clip = small_clip(num_frames=2)
    clip.camera_mask[1, 1] = False
    perceptor, samples = small_perceptor(num_frames=2), small_samples()
    with pytest.raises(ValueError, match="no camera image in the current frame of sample number 1: leave it out"):
        perceptor(clip)
    samples[1].set_metainfo({"sample_token": "e93e98b6"})
    with pytest.raises(ValueError, match="no camera image in the current frame of sample e93e98b6: leave it out"):
        perceptor(clip, samples, mode="predict")


def test_refuses_two_heads_that_make_boxes():
    head = {
        "type": "BEVDetectionHead",
        "num_classes": 3,
        "decoder": {"type": "DETRDecoder", "queries": {"type": "LearnedQueries"}},
    }
    with pytest.raises(ValueError, match=r"only one head can make pred_instances_3d .* but first and second do"):
        small_perceptor(heads={"first": head, "second": head})


def test_refuses_losses_without_ground_truth():
    with pytest.raises(ValueError, match="mode 'loss' needs data_samples"):
        small_perceptor()(small_clip(), mode="loss")


def test_refuses_an_unknown_mode():
    with pytest.raises(ValueError, match="mode is 'loss', 'predict' or 'tensor', not 'train'"):
        small_perceptor()(small_clip(), mode="train")


def small_lanes() -> dict:
    """A head of lanes and traffic elements."""
    relation = {"type": "PairRelation", "embed_dims": DIMS, "hidden_dims": 8}
    queries = {"type": "LearnedQueries", "embed_dims": DIMS, "num_queries": 4}
    attention = {"embed_dims": DIMS, "num_heads": 2, "feedforward_channels": DIMS}
    decoder = {"type": "DETRDecoder", "num_layers": 1, **attention}
    return {
        "type": "LaneTopologyHead",
        "lanes": {"type": "CentrelineDetector", "decoder": {**decoder, "queries": queries}},
        "traffic": {
            "type": "TrafficElementDetector",
            "encoder": {"type": "PyramidEncoder", "num_layers": 1, "num_levels": 2, **attention},
            "decoder": {**decoder, "queries": {**queries, "reference_dims": 2}, "num_levels": 2},
        },
        "lane_lane": relation,
        "lane_traffic": relation,
    }


@torch.no_grad()
def test_heads_may_look_at_both_kinds_of_features():
    detector = small_perceptor(heads={"detection": small_detection(), "lanes": small_lanes()})
    found = detector(small_clip(), small_samples(), mode="predict")
    for sample in found:
        assert len(sample.pred_instances_3d) > 0
        assert sample.pred_lanes.topology_lcte.shape == (4, 4)


@torch.no_grad()
def test_lanes_are_decoded_in_float32_within_autocast():
    detector, samples, seen = small_perceptor(heads={"lanes": small_lanes()}), small_samples(), []
    detector.heads["lanes"].register_forward_hook(lambda _, __, outputs: seen.append(outputs))
    with torch.autocast("cpu", torch.bfloat16):
        found = [sample.pred_lanes for sample in detector(small_clip(), samples, mode="predict")]
    for lanes, expected in zip(found, detector.heads["lanes"].predict(seen[0], samples), strict=True):
        assert torch.equal(lanes.lanes, expected.lanes)
        assert torch.equal(lanes.traffic_boxes, expected.traffic_boxes)


def test_history_is_not_trained_through_synchronised_norms(monkeypatch: pytest.MonkeyPatch):
    perceptor = small_perceptor(num_frames=2, train_history=True).train()
    perceptor.backbone.bn1 = nn.SyncBatchNorm(4)
    perceptor(small_clip(num_frames=2), small_samples(), mode="loss")
    monkeypatch.setattr("bev.models.perceptor.get_world_size", lambda: 2)
    with pytest.raises(InputError, match="set train_history=False, leave out sync_bn, or freeze these norms"):
        perceptor(small_clip(num_frames=2), small_samples(), mode="loss")
    perceptor.backbone.bn1.eval()
    perceptor(small_clip(num_frames=2), small_samples(), mode="loss")
