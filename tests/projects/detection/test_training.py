"""Small detectors on two real COCO images: they learn them, are evaluated from the tools, and resume."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "projects" / "detection" / "configs"
MASK_RCNN = CONFIGS / "internimage_nano_mask_rcnn_coco_sample.py"
DINO = CONFIGS / "internimage_nano_dino_coco_sample.py"
COMPOSITE = CONFIGS / "internimage_nano_composite_dino_coco_sample.py"
Tool = Callable[..., None]


@pytest.fixture
def images(shared_data: Path) -> Path:
    """Two images of COCO with 33 instances."""
    root = shared_data / "images" / "coco_test"
    if not root.is_dir():
        pytest.skip(f"no images of COCO at {root}")
    return root


def metrics(folder: Path) -> dict:
    return json.loads((folder / "test_metrics.json").read_text())


def final(folder: Path) -> dict:
    return torch.load(folder / "final.pth", weights_only=True)


def epochs(count: int, repeats: int = 20) -> tuple[str, ...]:
    """Options for a shorter training; each repeat is a step per image."""
    return (
        "--cfg-options",
        *(f"train_cfg.{key}={count}" for key in ("max_epochs", "val_interval")),
        f"train_dataloader.dataset.times={repeats}",
    )


@pytest.mark.slow
def test_mask_rcnn_learns_two_images_by_heart(tool: Tool, images: Path, tmp_path: Path) -> None:
    tool("train", MASK_RCNN, "--data-root", images, "--work-dir", tmp_path)
    tool("test", MASK_RCNN, tmp_path / "final.pth", "--data-root", images, "--work-dir", tmp_path)
    scores = metrics(tmp_path)
    assert scores["coco/segm_mAP"] >= 0.5, scores
    assert scores["coco/bbox_mAP"] >= 0.5, scores


def test_mask_rcnn_trains_resumes_and_is_evaluated(tool: Tool, images: Path, tmp_path: Path) -> None:
    common = ("--data-root", images)
    options = epochs(2, repeats=2)
    tool("train", MASK_RCNN, *common, "--work-dir", tmp_path / "whole", *options)
    killed = tmp_path / "whole" / "epoch_1.pth"
    tool("train", MASK_RCNN, *common, "--work-dir", tmp_path / "parts", "--resume", killed, *options)
    whole, parts = final(tmp_path / "whole"), final(tmp_path / "parts")
    assert parts["meta"] == whole["meta"] == {"epoch": 2, "iter": 8}
    for key, value in whole["state_dict"].items():
        torch.testing.assert_close(parts["state_dict"][key], value, msg=key)
    anything = ("--cfg-options", "model.test_cfg.rcnn.score_thr=0.0")
    tool("test", MASK_RCNN, tmp_path / "parts" / "final.pth", *common, "--work-dir", tmp_path, *anything)
    scores = metrics(tmp_path)
    assert {"coco/bbox_mAP", "coco/segm_mAP"} <= set(scores)
    assert all(-1 <= value <= 1 for value in scores.values())


def test_soft_nms_keeps_at_least_as_many_boxes(images: Path) -> None:
    counts = {}
    for kind in ("nms", "soft_nms"):
        model, dataset = detector(MASK_RCNN, images, {"model.test_cfg.rcnn.nms.type": kind})
        model.test_cfg.rcnn.score_thr = 0.0
        with torch.no_grad():
            (found,) = model.test_step(collate(dataset[0]))
        counts[kind] = len(found.pred_instances)
        assert found.pred_instances.masks.shape[-2:] == found.ori_shape
    assert counts["soft_nms"] >= counts["nms"] > 0


@pytest.mark.parametrize("config", [DINO, COMPOSITE], ids=["DINO", "composite"])
def test_dino_trains_and_is_evaluated_with_and_without_augmentation(
    tool: Tool, images: Path, tmp_path: Path, config: Path
) -> None:
    common = ("--data-root", images, "--work-dir", tmp_path)
    tool("train", config, *common, *epochs(1, repeats=3))
    results = []
    for options in ((), ("--tta",)):
        tool("test", config, tmp_path / "final.pth", *common, *options)
        results.append(metrics(tmp_path))
        assert 0 <= results[-1]["coco/bbox_mAP"] <= 1
    assert results[0].keys() == results[1].keys()


def test_augmentation_needs_to_be_configured(tool: Tool, images: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no tta_pipeline and no tta_model"):
        tool("test", MASK_RCNN, "--data-root", images, "--work-dir", tmp_path, "--tta")


def test_composite_dino_weighs_the_losses_of_its_assisting_backbone(images: Path) -> None:
    losses = {}
    for weight in (0.5, 1.0):
        model, dataset = detector(COMPOSITE, images, {"model.assisting_weight": weight}, training=True)
        torch.manual_seed(1)
        losses[weight] = model(**model.data_preprocessor(collate(dataset[0]), True), mode="loss")
    lead = [name for name in losses[0.5] if not name.startswith("assisting.")]
    assert sorted(losses[0.5]) == sorted([*lead, *(f"assisting.{name}" for name in lead)])
    for name in lead:
        torch.testing.assert_close(losses[0.5][name], losses[1.0][name])
        torch.testing.assert_close(losses[0.5][f"assisting.{name}"], 0.5 * losses[1.0][f"assisting.{name}"])


def test_training_starts_from_a_detector_of_other_classes(tool: Tool, images: Path, tmp_path: Path) -> None:
    """As a fine-tuned Objects365 detector does: all but the class layers."""
    model, _ = detector(DINO, images, {"model.bbox_head.num_classes": 365})
    torch.save({"state_dict": model.state_dict()}, tmp_path / "objects365.pth")
    ignored = ("bbox_head.cls_branches.", "dn_query_generator.label_embedding.")
    config = tmp_path / "config.py"
    config.write_text(
        f'_base_ = ["{DINO}"]\n'
        f'custom_hooks = [*_base_.custom_hooks, dict(type="InitialWeightsHook", checkpoint=None, ignore={ignored})]\n'
        "optim_wrapper = dict(optimizer=dict(lr=0.0))\n"
    )
    arguments = ("--data-root", images, "--work-dir", tmp_path, "--load-from", tmp_path / "objects365.pth")
    tool("train", config, *arguments, *epochs(1, repeats=1))
    trained, initial = final(tmp_path)["state_dict"], model.state_dict()
    assert trained["bbox_head.cls_branches.0.weight"].shape == (80, 256)
    same = [key for key in trained if not key.startswith(ignored) and "running" not in key and "num_batches" not in key]
    for key in same:
        torch.testing.assert_close(trained[key], initial[key], msg=key)


def collate(sample: dict) -> dict:
    return {"inputs": [sample["inputs"]], "data_samples": [sample["data_samples"]]}


def detector(path: Path, images: Path, overrides: dict | None = None, training: bool = False) -> tuple:
    """A detector with initial weights, and the data set it is trained or tested on."""
    import bev

    bev.register_all()
    from mmengine.registry import DATASETS, MODELS

    from bev.engine.config import load_config, scope
    from bev.engine.data_config import set_data_root

    config = load_config(path, overrides)
    set_data_root(config, images)
    loader = config.train_dataloader if training else config.val_dataloader
    torch.manual_seed(0)
    with scope(config):
        model = MODELS.build(config.model)
        model.init_weights()
        dataset = DATASETS.build(loader.dataset)
    return model.train(training), dataset
