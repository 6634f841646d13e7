"""Each data set is read as it is distributed, and its metric gives the truth the full score."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_detection as tiny
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, TRANSFORMS
from mmengine.structures import InstanceData

import bev
from bev.engine.config import load_config, scope
from bev.engine.data_config import set_data_root

CONFIGS = Path(__file__).parents[3] / "projects" / "detection" / "configs"
# Config, the box's class, and the scores that are 1 for the truth. CrowdHuman's AP is not among them: it leaves out
# the recall before the first hit.
CASES = {
    "bdd100k": ("dino_internimage_h_objects365_bdd100k", 8, ["coco/bbox_mAP", "coco/bbox_mAP_50"]),
    "voc": ("dino_cb_internimage_h_objects365_voc", 9, ["pascal_voc/mAP", "pascal_voc/AP50"]),
    "crowdhuman": ("cascade_rcnn_internimage_xl_3x_crowdhuman", 0, ["crowd_human/JI"]),
    "openimages": ("dino_cb_internimage_h_objects365_openimages", 1, ["openimages/AP50"]),
}


def prepare(name: str, folder: Path) -> Config:
    bev.register_all()
    config = load_config(CONFIGS / f"{CASES[name][0]}.py")
    if name == "bdd100k":
        tiny.write_bdd100k(folder, list(config.classes))
    else:
        getattr(tiny, f"write_{name}")(folder)
    set_data_root(config, folder)
    if name == "crowdhuman":
        config.val_evaluator.num_ji_process = 1
    return config


def perfect(sample):
    """The sample with its ground truth as prediction, in pixels of the original image."""
    truth = sample.gt_instances
    scores = torch.ones(len(truth))
    sample.pred_instances = InstanceData(bboxes=truth.bboxes.tensor, scores=scores, labels=truth.labels)
    return sample


@pytest.mark.parametrize("name", CASES)
def test_truth_is_read_and_scores_in_full(name: str, tmp_path: Path) -> None:
    config = prepare(name, tmp_path)
    _, label, scores = CASES[name]
    with scope(config):
        dataset = DATASETS.build(config.val_dataloader.dataset)
        metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    assert len(dataset) == 2
    for number, box in enumerate(tiny.BOXES.values()):
        sample = perfect(dataset[number]["data_samples"])
        assert sample.gt_instances.labels.tolist() == [label]
        np.testing.assert_allclose(sample.gt_instances.bboxes.tensor[0], box, atol=1e-3)
        metric.process(None, [sample.to_dict()])
    found = metric.evaluate(len(dataset))
    for key in scores:
        assert found[key] == pytest.approx(1.0, abs=1e-3), found


@pytest.mark.parametrize("name", CASES)
def test_training_samples_have_boxes_inside_their_image(name: str, tmp_path: Path) -> None:
    config = prepare(name, tmp_path)
    with scope(config):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    assert len(dataset) == {"voc": 12}.get(name, 2)
    sample = dataset[0]
    height, width = sample["data_samples"].img_shape
    assert sample["inputs"].shape == (3, height, width)
    boxes = sample["data_samples"].gt_instances.bboxes.tensor
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([width, height, width, height])).all()


@pytest.mark.parametrize("name", ["dino_internimage_t_1x_coco", "dino_internimage_h_objects365_coco"])
def test_images_of_coco_without_objects_are_not_trained_on(name: str, tmp_path: Path) -> None:
    """As in the official configs of all sizes."""
    bev.register_all()
    config = load_config(CONFIGS / f"{name}.py")
    with scope(config):
        categories = list(DATASETS.build({**config.train_dataloader.dataset, "lazy_init": True}).metainfo["classes"])
    file = tmp_path / "annotations" / "instances_train2017.json"
    tiny.write_coco(file, categories)
    content = json.loads(file.read_text())
    del content["annotations"][1:]
    file.write_text(json.dumps(content))
    set_data_root(config, tmp_path)
    with scope(config):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    assert [dataset.get_data_info(number)["img_id"] for number in range(len(dataset))] == [0]


def test_small_objects_of_voc_are_trained_on(tmp_path: Path) -> None:
    """Those below 32 pixels, too: the official configs name no least size."""
    config = prepare("voc", tmp_path)
    tiny.write_voc(tmp_path, {**tiny.BOXES, "first": (8, 8, 24, 56)})
    with scope(config):
        sample = DATASETS.build(config.train_dataloader.dataset)[0]["data_samples"]
    assert len(sample.gt_instances) == 1 and len(sample.ignored_instances) == 0


def test_lvis_is_read_by_its_own_package(tmp_path: Path) -> None:
    """Without the package `lvis`, the arguments at least are those of the data set's class."""
    bev.register_all()
    config = load_config(CONFIGS / "dino_cb_internimage_h_objects365_lvis.py")
    set_data_root(config, tmp_path)
    with scope(config):
        dataset = DATASETS.build({**config.val_dataloader.dataset, "lazy_init": True})
        for step in config.val_dataloader.dataset.pipeline:
            TRANSFORMS.build(step)
    assert len(dataset.metainfo["classes"]) == config.model.bbox_head.num_classes
    assert config.val_evaluator.ann_file == f"{tmp_path}/annotations/lvis_v1_val.json"
