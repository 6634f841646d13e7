from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

import bev
from bev.engine.checkpoint import CheckpointError
from bev.engine.config import ConfigError, scope
from projects.segment_anything import segment
from projects.segment_anything.coco import CocoFileError, CocoImages
from projects.segment_anything.detector import Detector, class_names, from_memory

CLASSES = ("zebra", "ant", "cat")
COCO = CocoImages([], {1: "ant", 5: "cat", 30: "zebra"})
PIPELINE = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(128, 64), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor")),
]
MODEL = dict(
    type="RetinaNet",
    data_preprocessor=dict(type="DetDataPreprocessor", mean=[0] * 3, std=[255] * 3, pad_size_divisor=32),
    backbone=dict(
        type="InternImage", channels=16, depths=(1, 1), groups=(1, 2), out_indices=(0, 1), drop_path_rate=0.0
    ),
    neck=dict(type="FPN", in_channels=[16, 32], out_channels=16, num_outs=2),
    bbox_head=dict(
        type="RetinaHead",
        num_classes=len(CLASSES),
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type="AnchorGenerator", octave_base_scale=4, scales_per_octave=1, ratios=[1.0], strides=[4, 8]
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
    ),
    test_cfg=dict(nms_pre=200, score_thr=0.0, nms=dict(type="nms", iou_threshold=0.9), max_per_img=100),
)


@pytest.fixture(scope="module")
def config() -> Config:
    bev.register_all()
    dataset = dict(type="CocoDataset", metainfo=dict(classes=CLASSES), pipeline=PIPELINE)
    return Config(dict(default_scope="mmdet", model=MODEL, test_dataloader=dict(dataset=dataset)))


@pytest.fixture(scope="module")
def checkpoint(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    with scope(config):
        model = MODELS.build(config.model)
    path = tmp_path_factory.mktemp("weights") / "detector.pth"
    torch.save({"state_dict": model.state_dict()}, path)
    return path


def test_boxes_are_in_pixels_of_the_image(config: Config, checkpoint: Path) -> None:
    # The image of 30 x 41 is resized to 64 x 87, and padded to 64 x 96 before the network.
    image = np.random.default_rng(0).integers(0, 256, (30, 41, 3), np.uint8)
    found = Detector(config, checkpoint, COCO)(image)
    assert found.boxes.shape == (100, 4) and set(found.categories.tolist()) <= {1, 5, 30}
    limits = found.boxes.reshape(-1, 2).max(0)
    assert (limits <= [41.01, 30.01]).all() and (limits > [40, 29]).all()
    assert (np.diff(found.scores) <= 0).all()


def test_the_tool_takes_config_and_weights(config: Config, checkpoint: Path, tmp_path: Path) -> None:
    config.dump(tmp_path / "detector.py")
    files = ("--config", str(tmp_path / "detector.py"), "--checkpoint", str(checkpoint), "--device", "cpu")
    others = [word for name in ("--sam", "--annotations", "--images") for word in (name, str(tmp_path))]
    found = segment.box_source(segment.parse_args([*others, *files]), COCO)(0, np.zeros((30, 41, 3), np.uint8))
    assert found.boxes.shape == (100, 4)


def test_classes_keep_their_names(config: Config) -> None:
    assert COCO.category_of(class_names(config)).tolist() == [30, 1, 5]
    wrapped = Config(dict(default_scope="mmdet", test_dataloader=dict(dataset=dict(dataset=dict(type="CocoDataset")))))
    assert len(class_names(wrapped)) == 80
    with pytest.raises(ConfigError, match="no metainfo"):
        class_names(Config(dict(default_scope="mmdet", test_dataloader=dict(dataset=dict(type="ConcatDataset")))))


def test_what_does_not_fit_is_refused(config: Config, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CocoFileError, match="detector's classes zebra"):
        Detector(config, checkpoint, CocoImages([], {1: "ant", 5: "cat"}))
    torch.save({"state_dict": {"backbone.patch_embed.conv1.bias": torch.zeros(8)}}, tmp_path / "part.pth")
    with pytest.raises(CheckpointError, match="missing"):
        Detector(config, tmp_path / "part.pth", COCO)
    with pytest.raises(ConfigError, match="must begin with LoadImageFromFile"):
        from_memory(PIPELINE[1:])
