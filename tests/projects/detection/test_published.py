"""What the configs of detectors compute to, beside what the authors reported; their backbones' names and groups."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS

from bev.engine.config import load_config, scope
from bev.engine.image_model_size import measure_image_model
from bev.engine.size_report import published

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[3] / "projects" / "detection" / "configs"
TWO_STAGES = sorted(CONFIGS.glob("*mask_rcnn_internimage_*_1x_coco.py"))
TRANSFORMERS = sorted(CONFIGS.glob("dino_*.py"))
ROUNDED = {"dino_cb_internimage_g_objects365_coco": 0.03, "dino_internimage_h_objects365_coco": 0.03}  # to 6 and 1.1 B


def build(path: Path) -> tuple:
    config = load_config(path)
    with scope(config), torch.device("meta"):
        return config, MODELS.build(config.model)


@pytest.mark.parametrize("path", TWO_STAGES, ids=lambda path: path.stem)
def test_sizes_of_two_stage_detectors_agree_with_the_published_ones(path: Path) -> None:
    config = load_config(path)
    ours, theirs = measure_image_model(config), published(config)
    assert ours.image_size == (800, 1280)
    assert ours.parameters == pytest.approx(theirs["parameters"], rel=0.01)
    assert ours.multiply_adds == pytest.approx(theirs["multiply_adds"], rel=0.02)


@pytest.mark.parametrize("path", TRANSFORMERS, ids=lambda path: path.stem)
def test_parameters_of_transformers_agree_with_the_published_ones(path: Path) -> None:
    config, model = build(path)
    theirs = published(config)["parameters"]
    if theirs is None:
        pytest.skip("the authors give no size for it")
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == pytest.approx(theirs, rel=ROUNDED.get(path.stem, 0.01))


@pytest.mark.parametrize("variant", ["t", "xl"])
@pytest.mark.parametrize("schedule", ["1x", "3x"])
def test_backbones_have_exactly_the_official_keys(goldens: Path, variant: str, schedule: str) -> None:
    detector = "cascade_mask_rcnn" if variant == "xl" else "mask_rcnn"
    _, model = build(CONFIGS / f"{detector}_internimage_{variant}_{schedule}_coco.py")
    expected = json.loads((goldens / "internimage_det_backbone" / f"keys_{variant}.json").read_text())
    found = {key: list(value.shape) for key, value in model.backbone.state_dict().items()}
    assert list(found.items()) == [(key, list(shape)) for key, shape in expected.items()]


# Published: factor from a layer to the one before, layers, learning rate, weight decay, last drop path, checkpointing.
SETTINGS = {
    "mask_rcnn_internimage_t_1x_coco": (1.0, 30, 1e-4, 0.05, 0.2, False),
    "mask_rcnn_internimage_s_3x_coco": (1.0, 33, 1e-4, 0.05, 0.3, False),
    "mask_rcnn_internimage_b_1x_coco": (1.0, 33, 1e-4, 0.05, 0.4, False),
    "cascade_mask_rcnn_internimage_l_1x_coco": (0.94, 37, 1e-4, 0.05, 0.4, False),
    "cascade_mask_rcnn_internimage_l_3x_coco": (0.90, 37, 2e-4, 0.05, 0.4, False),
    "cascade_mask_rcnn_internimage_xl_1x_coco": (0.94, 39, 1e-4, 0.05, 0.4, False),
    "cascade_mask_rcnn_internimage_xl_3x_coco": (0.90, 39, 2e-4, 0.05, 0.6, False),
    "dino_internimage_t_1x_coco": (0.90, 30, 1e-4, 1e-4, 0.2, True),
    "dino_internimage_l_1x_coco": (0.90, 37, 1e-4, 1e-4, 0.4, False),
    "dino_internimage_h_objects365_coco": (0.94, 50, 1e-4, 1e-4, 0.5, True),
    "dino_internimage_g_objects365_coco": (0.94, 56, 1e-4, 1e-4, 0.5, True),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_optimizers_and_regularisation_are_the_published_ones(name: str) -> None:
    rate, layers, lr, weight_decay, drop_path, with_cp = SETTINGS[name]
    config, model = build(CONFIGS / f"{name}.py")
    with scope(config):
        groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    of = {id(value): group for group in groups for value in group["params"]}
    backbone = model.backbone
    assert sum(backbone.depths) == layers
    assert of[id(backbone.patch_embed.conv1.weight)]["lr"] == pytest.approx(lr * rate ** (layers + 1))
    assert of[id(backbone.levels[3].blocks[-1].mlp.fc1.weight)]["lr"] == pytest.approx(lr * rate)
    neck = model.neck.convs if "dino" in name else model.neck.fpn_convs
    assert of[id(neck[0].conv.weight)]["lr"] == lr
    assert {group["weight_decay"] for group in groups} == {0.0, weight_decay}
    assert backbone.arch.drop_path_rate == drop_path
    assert backbone.arch.layer_scale == (None if layers >= 50 else 1.0)
    assert backbone.levels[0].blocks[0].with_cp is with_cp


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_configs_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60
