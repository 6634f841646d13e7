from __future__ import annotations

import json
from pathlib import Path

import golden
import golden_bevformer as reference
import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from torch import nn

from bev.models.heads import DetectionOutputs
from bev.models.heads.detection_targets import detection_targets
from bev.structures import BEVFeatures

Golden = np.lib.npyio.NpzFile


def official_outputs(
    stored: Golden, mode: str, num_queries: int, num_groups: int
) -> tuple[nn.Module, DetectionOutputs]:
    """A head, and the predictions that the official code got, as the outputs of that head."""
    head = reference.build_part(reference.detection_config(num_queries, num_groups), "heads.detection.")
    head.train(mode == "train")
    queries = head.decoder.queries(BEVFeatures(torch.zeros(1, 256, 20, 20), grid=None))
    logits, codes = (torch.from_numpy(stored[f"{mode}/all_{name}"]) for name in ("cls_scores", "bbox_preds"))
    return head, DetectionOutputs(logits, codes, queries)


def check_losses(stored: Golden, mode: str, losses: dict[str, torch.Tensor]) -> None:
    names = {name.removeprefix(f"{mode}/loss/") for name in stored.files if name.startswith(f"{mode}/loss/")}
    assert losses.keys() == names
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(stored[f"{mode}/loss/{name}"].item(), rel=1e-5), name


def test_targets_and_assignment_match(golden_t1: Golden, golden_sample: Det3DDataSample) -> None:
    head, outputs = official_outputs(golden_t1, "eval", 60, 1)
    target = detection_targets([golden_sample], 10, outputs.logits.device)[0]
    golden.check(golden_t1, "eval/normalized_gt", target.codes, atol=1e-5)
    assigned = head.assigner.assign(outputs.logits[:, 0], outputs.codes[:, 0], target.labels, target.codes)
    golden.check(golden_t1, "eval/assigned_gt_inds", assigned + 1, atol=0)


def test_losses_match(golden_t1: Golden, golden_sample: Det3DDataSample) -> None:
    for mode in ("eval", "train"):
        head, outputs = official_outputs(golden_t1, mode, 60, 1)
        check_losses(golden_t1, mode, head.loss(outputs, [golden_sample]))


def test_losses_are_meaned_over_groups(golden_t2: Golden, golden_sample: Det3DDataSample) -> None:
    head, outputs = official_outputs(golden_t2, "train", 32, 11)
    check_losses(golden_t2, "train", head.loss(outputs, [golden_sample]))


def test_decoding_matches(golden_t1: Golden, golden_sample: Det3DDataSample) -> None:
    head, outputs = official_outputs(golden_t1, "eval", 60, 1)
    detections = head.predict(outputs, [golden_sample])[0]
    golden.check(golden_t1, "eval/det/boxes_bottom_center", detections.bboxes_3d.tensor, atol=1e-5)
    golden.check(golden_t1, "eval/det/scores", detections.scores_3d, atol=1e-6)
    golden.check(golden_t1, "eval/det/labels", detections.labels_3d, atol=0)


def test_gradients_of_one_training_step_match(golden_t1: Golden, golden_sample: Det3DDataSample, goldens: Path) -> None:
    # In float64, so that no rounding decides on which side of a kink (ReLU, pixel border) a number lies.
    encoder = reference.build_part(reference.encoder_config(), "encoder.").train().double()
    head = reference.build_part(reference.detection_config(), "heads.detection.").train().double()
    cameras = torch.from_numpy(golden_t1["in/lidar2img"])[None]
    features = [level.double() for level in reference.image_features()]
    bev_map = reference.encode(encoder, features, cameras)
    losses = head.loss(head(BEVFeatures(bev_map, encoder.grid)), [golden_sample])
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(golden_t1[f"train/loss/{name}"].item(), rel=1e-3), name
    sum(losses.values()).backward()

    norms = json.loads((goldens / "bevformerv2_t1_base" / "grad_norms.json").read_text())
    parameters = [("encoder." + name, parameter) for name, parameter in encoder.named_parameters()]
    parameters += [("heads.detection." + name, parameter) for name, parameter in head.named_parameters()]
    gradients = {reference.official_name(name): parameter.grad for name, parameter in parameters}
    for name, gradient in gradients.items():
        assert gradient.norm().item() == pytest.approx(norms[name], rel=2e-5, abs=1e-5), name
    stored = {name.removeprefix("train/grad/").split("@")[0] for name in golden_t1.files if "train/grad/" in name}
    for name in stored:
        golden.check(golden_t1, f"train/grad/{name}", gradients[name], atol=5e-5 * gradients[name].abs().max().item())


@pytest.mark.parametrize("num_frames", [1, 2])
@torch.no_grad()
def test_the_whole_detector_matches(golden_t1: Golden, golden_t2: Golden, num_frames: int) -> None:
    if num_frames == 1:
        stored, detector, image = golden_t1, reference.build_detector(), "bevformerv2/img"
        cameras = stored["in/lidar2img"][None, None]
    else:
        detector = reference.build_detector(num_queries=32, num_groups=11, num_frames=2)
        stored, image = golden_t2, "bevformerv2/img2"
        cameras = np.stack([stored["in/lidar2img_prev"], stored["in/lidar2img"]])[None]
    images = golden.inp(image, (1, num_frames, 6, 3, 96, 160))
    clip = reference.clip_of(images, cameras, current=num_frames - 1)
    detections = detector(clip, mode="predict")[0].pred_instances_3d
    golden.check(stored, "eval/img/det_scores", detections.scores_3d)
    golden.check(stored, "eval/img/det_labels", detections.labels_3d, atol=0)
    golden.check(stored, "eval/img/det_boxes", detections.bboxes_3d.tensor, atol=2e-3)
