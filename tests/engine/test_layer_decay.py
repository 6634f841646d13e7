from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

import bev.engine.layer_decay  # noqa: F401 (registers the constructor)
from bev.models.backbones import InternImage, build_internimage

LR = 1e-3
NANO = {"channels": 16, "depths": (1, 2, 3, 2), "groups": (2, 4, 8, 16)}
OFFICIAL = {"T": 5e-4, "L": 2e-5, "H": 2e-5}  # TRAIN.BASE_LR of the official configs


class Detector(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = nn.Conv2d(16, 4, 1)
        self.sampling_offsets = nn.Linear(4, 4)


def nano(**settings: object) -> InternImage:
    return build_internimage("t", **{**NANO, **settings})


def build(model: nn.Module, lr: float = LR, **paramwise: object) -> OptimWrapper:
    return build_optim_wrapper(
        model,
        {
            "type": "OptimWrapper",
            "optimizer": {"type": "AdamW", "lr": lr, "weight_decay": 0.05},
            "constructor": "LayerDecayOptimWrapperConstructor",
            "paramwise_cfg": paramwise,
        },
    )


def settings_by_name(model: nn.Module, wrapper: OptimWrapper) -> dict[str, tuple[float, float]]:
    """Weight decay and learning rate of each parameter."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: (group["weight_decay"], group["lr"])
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("variant", OFFICIAL)
def test_classification_groups_match_official(variant: str, goldens: Path) -> None:
    official = json.loads((goldens / "internimage_cls_param_groups" / "groups.json").read_text())[variant]
    with torch.device("meta"):
        model = build_internimage(variant, num_classes=1000)
    paramwise = {"recipe": "classification"}
    if official["use"]:
        paramwise |= {"layer_decay_rate": official["decay_ratio"], "dcn_lr_mult": official["dcn_lr_mul"]}
    own = settings_by_name(model, build(model, OFFICIAL[variant], **paramwise))
    assert set(own) == set(official["groups"])
    for name, expected in official["groups"].items():
        assert own[name] == pytest.approx(expected, rel=1e-9), name


@pytest.mark.parametrize("variant", OFFICIAL)
def test_classification_keywords_match_official(variant: str, goldens: Path) -> None:
    official = json.loads((goldens / "internimage_cls_param_groups" / "groups.json").read_text())[variant]
    with torch.device("meta"):
        model = build_internimage(variant, num_classes=1000)
    own = settings_by_name(model, build(model, 1.0, recipe="classification", layer_decay_rate=official["decay_ratio"]))
    checked = set()
    for keyword, ratio in official["keywords"].items():
        for name in [name for name in own if keyword in name]:
            assert own[name][1] == pytest.approx(ratio, rel=1e-9), name
            checked.add(keyword)
    # L normalises no stage's output, so its keywords for those norms match nothing.
    assert all(".norm" in keyword for keyword in set(official["keywords"]) - checked)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("patch_embed.conv1.weight", 0),
        ("levels.0.blocks.0.dcn.offset.weight", 1),
        ("levels.0.norm.0.weight", 2),
        ("levels.0.downsample.conv.weight", 2),
        ("levels.1.blocks.1.mlp.fc1.weight", 3),
        ("levels.1.downsample.norm.1.weight", 4),
        ("levels.2.blocks.2.dcn.mask.weight", 6),
        ("levels.2.post_norms.0.0.weight", 5),
        ("levels.3.norm.0.weight", 7),
        ("levels.3.blocks.1.norm1.0.weight", 8),
    ],
)
def test_detection_layers_are_counted_from_the_stem_up(name: str, layer: int) -> None:
    model = Detector(nano(level2_post_norm_block_ids=(1,)))
    own = settings_by_name(model, build(model, layer_decay_rate=0.9))
    assert own[f"backbone.{name}"][1] == pytest.approx(LR * 0.9 ** (9 - layer))
    assert own["neck.weight"] == (0.05, LR)


@pytest.mark.parametrize(
    ("variant", "layers"), [("t", 30), ("s", 33), ("b", 33), ("l", 37), ("xl", 39), ("h", 50), ("g", 56)]
)
def test_number_of_layers_of_the_variants(variant: str, layers: int) -> None:
    with torch.device("meta"):
        model = Detector(build_internimage(variant))
    own = settings_by_name(model, build(model, layer_decay_rate=0.94))
    assert own["backbone.patch_embed.conv1.weight"][1] == pytest.approx(LR * 0.94 ** (layers + 1))


def test_every_trained_parameter_is_in_one_group() -> None:
    model = Detector(nano(out_indices=(0, 1), keep_all_stages=True))
    groups = build(model, layer_decay_rate=0.9).optimizer.param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trained)
    assert len(groups) < 20


def test_norms_and_biases_have_no_weight_decay() -> None:
    model = Detector(nano())
    for name, (weight_decay, _) in settings_by_name(model, build(model)).items():
        flat = dict(model.named_parameters())[name].ndim == 1
        assert weight_decay == (0.0 if flat or name.startswith("sampling_offsets") else 0.05), name


def test_factors_multiply() -> None:
    model = Detector(nano())
    own = settings_by_name(
        model,
        build(
            model,
            layer_decay_rate=0.9,
            backbone_lr_mult=0.5,
            dcn_lr_mult=0.1,
            custom_keys={"offset": {"lr_mult": 7.0}, "sampling_offsets": {"lr_mult": 0.1, "decay_mult": 0.0}},
        ),
    )
    assert own["backbone.levels.3.blocks.1.mlp.fc1.weight"][1] == pytest.approx(LR * 0.5 * 0.9)
    assert own["backbone.levels.3.blocks.1.dcn.offset.weight"][1] == pytest.approx(LR * 0.5 * 0.9 * 0.1 * 7)
    assert own["sampling_offsets.weight"] == pytest.approx((0.0, LR * 0.1))


def test_what_is_like_the_stem_has_its_learning_rate() -> None:
    model = Detector(nano())
    own = settings_by_name(model, build(model, layer_decay_rate=0.9, like_stem=("sampling_", "no_such_name")))
    assert own["sampling_offsets.weight"] == pytest.approx((0.0, LR * 0.9**9))
    assert own["sampling_offsets.weight"][1] == own["backbone.patch_embed.conv1.weight"][1]
    assert own["neck.weight"] == (0.05, LR)


def test_other_backbones_have_a_multiplier_but_no_layers() -> None:
    model = Detector(nn.Linear(3, 3))
    own = settings_by_name(model, build(model, backbone_lr_mult=0.1))
    assert own["backbone.weight"] == pytest.approx((0.05, LR * 0.1))
    assert own["neck.weight"][1] == LR
    with pytest.raises(ValueError, match=r"layer_decay_rate 0\.9 needs an InternImage"):
        build(model, layer_decay_rate=0.9)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="no setting num_layers; there are layer_decay_rate"):
        build(nano(), num_layers=30)
    with pytest.raises(ValueError, match="recipe 'pose' is none of detection, classification"):
        build(nano(), recipe="pose")
    with pytest.raises(ValueError, match="needs both lr and weight_decay"):
        build_optim_wrapper(
            nano(), {"optimizer": {"type": "AdamW", "lr": LR}, "constructor": "LayerDecayOptimWrapperConstructor"}
        )


# Distance of each part of the backbone from what follows it, counted on paper from the depths in the paper's table 1.
# T: 4 + 4 + 18 + 4 = 30 blocks, so the stem is 31 steps away; XL: 5 + 5 + 24 + 5 = 39 blocks, 40 steps.
STEPS = {
    "t": {
        "patch_embed.": [31],
        "levels.0.blocks.": [30, 29, 28, 27],
        "levels.0.downsample.": [26],
        "levels.0.norm.": [26],
        "levels.1.blocks.": [26, 25, 24, 23],
        "levels.1.downsample.": [22],
        "levels.1.norm.": [22],
        "levels.2.blocks.": [22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5],
        "levels.2.downsample.": [4],
        "levels.2.norm.": [4],
        "levels.3.blocks.": [4, 3, 2, 1],
        "levels.3.norm.": [4],
    },
    "xl": {
        "patch_embed.": [40],
        "levels.0.blocks.": [39, 38, 37, 36, 35],
        "levels.0.downsample.": [34],
        "levels.1.blocks.": [34, 33, 32, 31, 30],
        "levels.1.downsample.": [29],
        "levels.2.blocks.": [
            29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6,
        ],
        "levels.2.downsample.": [5],
        "levels.3.blocks.": [5, 4, 3, 2, 1],
    },
}
# Classification starts with 0 at the last block, and the stem learns like the first one.
CLASSIFICATION = {"t": {"patch_embed.": 29, "levels.3.norm.": 0}, "xl": {"patch_embed.": 38}}


@pytest.mark.parametrize(("variant", "rate"), [("t", 0.9), ("xl", 0.94)])
@pytest.mark.parametrize("recipe", ["detection", "classification"])
def test_published_decay_of_every_parameter(variant: str, rate: float, recipe: str) -> None:
    classifier = recipe == "classification"
    with torch.device("meta"):
        backbone = build_internimage(variant, num_classes=1000 if classifier else None)
    model = Detector(backbone)
    own = settings_by_name(model, build(model, layer_decay_rate=rate, recipe=recipe))
    expected = {}
    for part, steps in STEPS[variant].items():
        for index, step in enumerate(steps):
            prefix = f"backbone.{part}{index}." if len(steps) > 1 else f"backbone.{part}"
            distance = CLASSIFICATION[variant].get(part, step - 1) if classifier else step
            expected |= {name: LR * rate**distance for name in own if name.startswith(prefix)}
    backbone_names = {name for name in own if name.startswith(("backbone.patch_embed.", "backbone.levels."))}
    assert set(expected) == backbone_names
    assert {name: own[name][1] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert {lr for name, (_, lr) in own.items() if name not in expected} == {LR}
