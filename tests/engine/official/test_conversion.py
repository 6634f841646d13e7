"""Every key of every published model has its place, and weights survive the way there and back."""

from __future__ import annotations

import json
from pathlib import Path

import golden
import pytest
import torch
from mmengine.registry import MODELS
from torch import Tensor

import bev
from bev.engine.config import load_config
from bev.engine.official import convert_official, export_official
from bev.engine.official.conversion import ConversionError
from bev.geometry.boxes import decode_boxes, legacy_to_current

CONFIGS = Path(__file__).parents[3] / "configs"
KEY_TABLES = {
    "bevformer_tiny": "bevformer_v1_tiny/keys.json",
    "bevformer_small": "bevformer_v1_tiny/keys_small.json",
    "bevformer_base": "bevformer_v1_tiny/keys_base.json",
    "bevformerv2_r50_t1_base": "bevformerv2_keys/keys_bevformerv2_r50_t1_base.json",
    "bevformerv2_r50_t1": "bevformerv2_keys/keys_bevformerv2_r50_t1.json",
    "bevformerv2_r50_t2": "bevformerv2_keys/keys_bevformerv2_r50_t2.json",
    "bevformerv2_r50_t8": "bevformerv2_keys/keys_bevformerv2_r50_t8.json",
    "occupancy_bevformer_internimage_s": "occ_baseline/keys.json",
    "occupancy_bevformer_small": "occ_baseline/keys_small_occ.json",
    "occupancy_bevformer_base": "occ_baseline/keys_base_occ.json",
    "openlane_internimage_s": "openlanev2_baseline/keys.json",
    "openlane_r50": "openlanev2_baseline/keys_baseline_large.json",
}


def official_weights(goldens: Path, table: str) -> dict[str, Tensor]:
    """Golden values for every key of a published model."""
    weights = {}
    for key, shape in json.loads((goldens / table).read_text()).items():
        values = golden.parameter(key, tuple(shape), bev=True)
        weights[key] = torch.ones(shape) if values is None else torch.as_tensor(values)
    return weights


@pytest.mark.parametrize("name", KEY_TABLES)
def test_published_checkpoints_fit_their_configs(name: str, goldens: Path) -> None:
    official = official_weights(goldens, KEY_TABLES[name])
    family = "bevformerv2" if "v2" in name else name.split("_")[0]
    own, report = convert_official(official, family)
    accounted = [*report.mapped, *report.folded, *report.ignored]
    assert sorted(accounted) == sorted(official), "a key was dropped, or counted twice"
    bev.register_all()
    with torch.device("meta"):
        model = MODELS.build(load_config(CONFIGS / f"{name}.py").model)
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert {key: tuple(value.shape) for key, value in own.items()} == expected
    back = export_official(own, family)
    for key, value in back.items():
        if key.endswith("level_embeds"):
            value, rows = value[: len(own["encoder.level_embeds"])], len(own["encoder.level_embeds"])
            torch.testing.assert_close(value, official[key][:rows], rtol=0, atol=0)
        else:
            assert torch.equal(value, official[key]), key
    assert set(official) - set(back) == set(report.ignored)


def test_the_legacy_box_convention_is_folded_into_the_branches() -> None:
    torch.manual_seed(0)
    states = torch.randn(50, 16)
    weight, bias = torch.randn(10, 16), torch.randn(10)
    key = "pts_bbox_head.reg_branches.0.4"
    own, report = convert_official({f"{key}.weight": weight, f"{key}.bias": bias}, "bevformer")
    assert set(report.folded) == {f"{key}.weight", f"{key}.bias"}
    name = "heads.detection.reg_branches.0.4"
    old = decode_boxes(states @ weight.T + bias)
    new = decode_boxes(states @ own[f"{name}.weight"].T + own[f"{name}.bias"])
    expected = legacy_to_current(old)
    turn = (new[:, 6] - expected[:, 6]).remainder(2 * torch.pi)
    torch.testing.assert_close(torch.minimum(turn, 2 * torch.pi - turn), torch.zeros(50), atol=1e-5, rtol=0)
    rest = [0, 1, 2, 3, 4, 5, 7, 8]
    torch.testing.assert_close(new[:, rest], expected[:, rest])


def test_unknown_keys_and_families_are_refused() -> None:
    with pytest.raises(ConversionError, match="2 keys are not part of bevformer: pts_bbox_head"):
        convert_official({"pts_bbox_head.other": torch.zeros(1), "pts_bbox_head.x": torch.zeros(1)}, "bevformer")
    with pytest.raises(ConversionError, match="unknown family 'detr'; there are bevformer"):
        convert_official({}, "detr")
    with pytest.raises(
        ConversionError, match=r"heatmap_branch\.0\.weight has no counterpart in the official bevformer"
    ):
        export_official({"heads.detection.decoder.queries.heatmap_branch.0.weight": torch.zeros(1)}, "bevformer")


def test_of_the_small_lane_baseline_only_the_image_features_are_taken(goldens: Path) -> None:
    official = official_weights(goldens, "openlanev2_baseline/keys_baseline.json")
    own, report = convert_official(official, "openlane")
    assert sorted([*report.mapped, *report.ignored]) == sorted(official)
    assert {key.partition(".")[0] for key in own} == {"backbone", "neck"}
    assert {key.partition(".")[0] for key in report.ignored} == {
        "img_view_transformer", "lc_head", "te_head", "lclc_head", "lcte_head",
    }  # fmt: skip
    assert export_official(own, "openlane").keys() == report.mapped.keys()


def test_backbones_of_pretraining_detectors_are_taken_and_their_heads_ignored() -> None:
    weights = {"backbone.conv1.weight": torch.ones(1), "img_neck.fpn_convs.0.conv.bias": torch.ones(2)}
    own, report = convert_official({**weights, "bbox_head.fcos_cls.weight": torch.ones(3)}, "bevformer")
    assert set(own) == {"backbone.conv1.weight", "neck.fpn_convs.0.conv.bias"}
    assert list(report.ignored) == ["bbox_head.fcos_cls.weight"]
    assert "2 keys mapped, 0 folded, 1 ignored" in str(report)


@pytest.mark.parametrize("shape", [(3, 3), ()])
def test_a_box_branch_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    official = {"pts_bbox_head.reg_branches.0.4.weight": torch.zeros(shape)}
    with pytest.raises(ConversionError, match=r"reg_branches\.0\.4\.weight has shape \[.*\], but a box has 10 rows"):
        convert_official(official, "bevformer")
