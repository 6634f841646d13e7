"""One whole training step of BEVFormer v2, images to gradients, against the official code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import golden
import golden_bevformer as reference
import numpy as np
import perspective_goldens
import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bev.structures import CameraClip, ImageFeatures

INTRINSIC = torch.tensor([[175.0, 0, 112], [0, 175, 64], [0, 0, 1]])
MONO_CAMERAS = [0, 2]  # the cameras that had annotations of their own


@pytest.fixture(scope="module")
def stored(goldens: Path) -> np.lib.npyio.NpzFile:
    """What the official code computed."""
    return np.load(goldens / "bevformerv2_t1_full_train" / "golden.npz")


def only_cameras(features: ImageFeatures, cameras: list[int]) -> ImageFeatures:
    clip = features.clip
    part: CameraClip = replace(
        clip,
        images=clip.images[:, :, cameras],
        image_sizes=clip.image_sizes[:, :, cameras],
        pix_T_bev=clip.pix_T_bev[:, :, cameras],
        camera_mask=clip.camera_mask[:, :, cameras],
    )
    return ImageFeatures(tuple(level[:, :, cameras] for level in features.levels), part)


def test_losses_gradients_and_statistics_match(stored: np.lib.npyio.NpzFile, goldens: Path) -> None:
    # In float64, so that no rounding decides on which side of a kink (ReLU, max-pool, pixel border) a number lies.
    detector = reference.build_detector(perspective=True).train().double()
    images = golden.inp("full/img", (1, 1, 6, 3, 128, 224)).double()
    clip = reference.clip_of(images, torch.from_numpy(stored["in/lidar2img"])[None, None])
    boxes = LiDARInstance3DBoxes(torch.from_numpy(stored["in/gt_bboxes_bottom_center"]), box_dim=9)
    labels = torch.from_numpy(stored["in/gt_labels"])
    sample = Det3DDataSample(gt_instances_3d=InstanceData(bboxes_3d=boxes, labels_3d=labels))
    features = detector.extract_features(clip)
    detection, perspective = detector.heads["detection"], detector.heads["perspective"]
    losses = detection.loss(detection(features.bev), [sample])
    objects = perspective_goldens.image_objects(torch.from_numpy(stored["in/annos"]), INTRINSIC)
    outputs = perspective(only_cameras(features.images, MONO_CAMERAS))
    mono = perspective.losses_of_objects(outputs, objects, INTRINSIC.expand(2, 3, 3))
    losses |= {f"{name}_mono": value for name, value in mono.items()}
    assert set(losses) == {name.removeprefix("loss/") for name in stored.files if name.startswith("loss/")}
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(stored[f"loss/{name}"].item(), rel=1e-3), name
    sum(losses.values()).backward()
    norms, tolerances = (
        json.loads((goldens / "bevformerv2_t1_full_train" / f"{name}.json").read_text())
        for name in ("grad_norms", "grad_rel_err_f32_vs_f64")
    )
    checked = 0
    for key, parameter in detector.named_parameters():
        name = reference.official_name(key)
        if parameter.grad is not None and name in norms:
            tolerance = 1e-3 + 2 * tolerances.get(name, 0.0)
            assert parameter.grad.norm().item() == pytest.approx(norms[name], rel=tolerance, abs=1e-4), name
            checked += 1
    assert checked > 350
    for name in ("bn1.running_mean", "bn1.running_var", "layer4.2.bn3.running_var"):
        golden.check(stored, f"after/img_backbone.{name}", detector.backbone.state_dict()[name])
