"""Classifiers, detectors and segmentors of the official InternImage repository under today's names, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from bev.engine.checkpoint import load_weights
from bev.engine.config import load_config, scope
from bev.engine.official import convert_official, export_official
from bev.engine.official.conversion import ConversionError

pytestmark = pytest.mark.usefixtures("registered")
ROOT = Path(__file__).parents[3]
CLASSIFIERS = ROOT / "projects" / "classification" / "configs"
PUBLISHED = {"t": "1k_224", "s": "1k_224", "b": "1k_224", "l": "22kto1k_384", "xl": "22kto1k_384"}
PUBLISHED |= {"h": "22kto1k_640", "g": "22kto1k_512"}
BACKBONE = dict(type="InternImage", variant="t", channels=16, depths=(1, 1, 1, 1), groups=(1, 2, 4, 8))
ATTENTION = dict(embed_dims=16, num_heads=2)
FFN = dict(embed_dims=16, feedforward_channels=8)
SAMPLING = [f"{part}.{leaf}" for part in ("sampling_offsets", "attention_weights", "value_proj", "output_proj")
            for leaf in ("weight", "bias")]  # fmt: skip
MULTIHEAD = ["attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight", "attn.out_proj.bias"]
FFN_NAMES = [f"layers.{layer}.{leaf}" for layer in ("0.0", "1") for leaf in ("weight", "bias")]


def build(model: dict, package: str) -> nn.Module:
    config = Config(dict(default_scope=package, model=model))
    with scope(config), torch.device("meta"):
        return MODELS.build(config.model)


def table(goldens: Path, name: str) -> dict[str, torch.Tensor]:
    """A published key table, without memory for the values."""
    shapes = json.loads((goldens / name).read_text())
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def names_of_layer(layer: str, attentions: list[tuple[str, list[str]]], ffn: str, norms: int) -> list[str]:
    names = [f"{layer}.{attention}.{name}" for attention, inner in attentions for name in inner]
    names += [f"{layer}.{ffn}.{name}" for name in FFN_NAMES]
    return names + [f"{layer}.norms.{index}.{leaf}" for index in range(norms) for leaf in ("weight", "bias")]


def numbered(names: dict[str, int]) -> dict[str, torch.Tensor]:
    return {name: torch.full((1,), float(value)) for name, value in names.items()}


@pytest.mark.parametrize("variant", PUBLISHED)
def test_published_classifiers_fit_their_configs(variant: str, goldens: Path) -> None:
    official = table(goldens, f"internimage_{variant}_cls/keys.json")
    own, report = convert_official(official, "internimage")
    assert list(report.mapped) == list(official) and not report.ignored and not report.folded
    config = load_config(CLASSIFIERS / f"internimage_{variant}_{PUBLISHED[variant]}.py")
    with scope(config), torch.device("meta"):
        model = MODELS.build(config.model)
    expected = {key: value.shape for key, value in model.state_dict().items() if not key.startswith("data_pre")}
    assert {key: value.shape for key, value in own.items()} == expected
    assert list(export_official(own, "internimage")) == list(official)


def test_two_stage_detectors_kept_their_names() -> None:
    names = [
        "backbone.levels.0.blocks.0.dcn.offset.weight",
        "neck.lateral_convs.0.conv.weight",
        "rpn_head.rpn_cls.bias",
        "roi_head.bbox_head.2.fc_cls.weight",
        "roi_head.mask_head.0.convs.3.conv.weight",
    ]
    own, report = convert_official(numbered(dict.fromkeys(names, 0)), "internimage")
    assert list(own) == names and list(report.mapped) == names


def test_the_only_neck_of_a_list_is_the_neck() -> None:
    official = numbered({"neck.0.convs.2.gn.weight": 0, "neck.0.extra_convs.0.conv.weight": 1})
    own, report = convert_official(official, "internimage")
    assert list(own) == ["neck.convs.2.gn.weight", "neck.extra_convs.0.conv.weight"]
    assert report.mapped["neck.0.convs.2.gn.weight"] == "neck.convs.2.gn.weight"
    with pytest.raises(ConversionError, match=r"neck\.1\.convs"):
        convert_official(numbered({"neck.1.convs.0.conv.weight": 0}), "internimage")


def official_dino() -> list[str]:
    """What the official code calls the parts of a DINO with one layer each, read off its classes."""
    transformer = "bbox_head.transformer"
    encoder = names_of_layer(f"{transformer}.encoder.layers.0", [("attentions.0", SAMPLING)], "ffns.0", 2)
    attentions = [("attentions.0", MULTIHEAD), ("attentions.1", SAMPLING)]
    decoder = names_of_layer(f"{transformer}.decoder.layers.0", attentions, "ffns.0", 3)
    linear = [f"{transformer}.{part}" for part in ("enc_output", "enc_output_norm", "decoder.norm")]
    linear += [f"{transformer}.decoder.ref_point_head.{index}" for index in (0, 2)]
    linear += [f"bbox_head.cls_branches.{index}" for index in (0, 1)]  # one decoder layer, and the encoder's
    linear += [f"bbox_head.reg_branches.{index}.{layer}" for index in (0, 1) for layer in (0, 2, 4)]
    plain = [f"{transformer}.level_embeds", f"{transformer}.query_embed.weight", "bbox_head.label_embedding.weight"]
    return encoder + decoder + plain + [f"{name}.{leaf}" for name in linear for leaf in ("weight", "bias")]


def test_dino_of_mmdet_2_becomes_that_of_mmdet_3() -> None:
    deformable = dict(ATTENTION, num_levels=4)
    neck = dict(type="ChannelMapper", in_channels=[32, 64, 128], kernel_size=1, out_channels=16, num_outs=4)
    model = dict(
        type="DINO",
        num_queries=5,
        with_box_refine=True,
        as_two_stage=True,
        backbone=dict(BACKBONE, out_indices=(1, 2, 3)),
        neck=neck,
        encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=deformable, ffn_cfg=FFN)),
        decoder=dict(
            num_layers=1,
            return_intermediate=True,
            layer_cfg=dict(self_attn_cfg=ATTENTION, cross_attn_cfg=deformable, ffn_cfg=FFN),
            post_norm_cfg=None,
        ),
        positional_encoding=dict(num_feats=8, normalize=True),
        bbox_head=dict(
            type="DINOHead",
            num_classes=3,
            embed_dims=16,
            sync_cls_avg_factor=True,
            loss_cls=dict(type="FocalLoss", use_sigmoid=True),
        ),
        dn_cfg=dict(
            label_noise_scale=0.5,
            box_noise_scale=1.0,
            group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=10),
        ),
        train_cfg=None,
    )
    own = [key for key in build(model, "mmdet").state_dict() if not key.startswith(("backbone.", "neck."))]
    official = numbered({name: index for index, name in enumerate(official_dino())})
    converted, _ = convert_official(official, "internimage")
    assert sorted(converted) == sorted(own)
    assert converted["decoder.layers.0.cross_attn.value_proj.weight"].item() == list(official).index(
        "bbox_head.transformer.decoder.layers.0.attentions.1.value_proj.weight"
    )
    assert export_official(converted, "internimage") == official


def official_mask2former() -> list[str]:
    """The layers of a Mask2Former head with one of each, as the official segmentation code calls them."""
    pixels = "decode_head.pixel_decoder.encoder.layers.0"
    queries = "decode_head.transformer_decoder.layers.0"
    attentions = [("attentions.0", MULTIHEAD), ("attentions.1", MULTIHEAD)]
    names = names_of_layer(pixels, [("attentions.0", SAMPLING)], "ffns.0", 2)
    return names + names_of_layer(queries, attentions, "ffns.0", 3)


def test_mask2former_of_mmseg_0_becomes_that_of_mmseg_1() -> None:
    pixel_decoder = dict(
        type="mmdet.MSDeformAttnPixelDecoder",
        num_outs=3,
        norm_cfg=dict(type="GN", num_groups=4),
        encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=dict(ATTENTION, num_levels=3), ffn_cfg=FFN)),
        positional_encoding=dict(num_feats=8, normalize=True),
    )
    head = dict(
        type="Mask2FormerHead",
        in_channels=[16, 32, 64, 128],
        strides=[4, 8, 16, 32],
        feat_channels=16,
        out_channels=16,
        num_classes=3,
        num_queries=5,
        pixel_decoder=pixel_decoder,
        positional_encoding=dict(num_feats=8, normalize=True),
        transformer_decoder=dict(
            num_layers=1,
            return_intermediate=True,
            layer_cfg=dict(self_attn_cfg=ATTENTION, cross_attn_cfg=ATTENTION, ffn_cfg=FFN),
        ),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", class_weight=[1.0] * 4),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True),
        loss_dice=dict(type="mmdet.DiceLoss"),
    )
    own = {f"decode_head.{key}": value for key, value in build(head, "mmseg").state_dict().items()}
    official = export_official(own, "internimage")
    assert {name for name in official if "attentions" in name or "ffns" in name or ".norms." in name} == set(
        official_mask2former()
    )
    converted, _ = convert_official(official, "internimage")
    assert list(converted) == list(own)
    first = convert_official(
        numbered({"decode_head.transformer_decoder.layers.0.attentions.0.attn.in_proj_bias": 1}), "internimage"
    )[0]
    assert list(first) == ["decode_head.transformer_decoder.layers.0.cross_attn.attn.in_proj_bias"]


def test_keys_of_no_part_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"1 keys are not part of internimage: model\.stem"):
        convert_official(numbered({"backbone.patch_embed.conv1.weight": 0, "model.stem": 1}), "internimage")


@pytest.mark.parametrize("kind", ["classification", "detection", "segmentation"])
def test_xl_of_any_task_is_a_backbone_for_the_bev_model(kind: str, goldens: Path) -> None:
    """Loading as `init_cfg=dict(type="SafePretrained", checkpoint=...)` does it: nothing missing, all else named."""
    if kind == "classification":
        content = {"model": table(goldens, "internimage_xl_cls/keys.json")}
        others = {key for key in content["model"] if key.startswith(("conv_head.", "head."))}
    else:
        keys = table(goldens, f"internimage_{kind[:3]}_backbone/keys_xl.json")
        others = {"neck.fpn_convs.0.conv.weight", "roi_head.bbox_head.0.fc_cls.weight", "decode_head.conv_seg.weight"}
        extra = {key: torch.empty(1, device="meta") for key in others}
        content = {"state_dict": {**{f"backbone.{key}": value for key, value in keys.items()}, **extra}}
    with torch.device("meta"):
        backbone = MODELS.build(load_config(ROOT / "configs" / "bevformerv2_internimage_xl.py").model.backbone)
    report = load_weights(backbone, content)
    assert report.missing == ()
    assert set(report.loaded) == set(backbone.state_dict())
    assert {*report.unexpected, *report.skipped} == others
    assert all(key in str(report) for key in others)


def test_one_line_starts_a_bev_model_from_a_detector(tmp_path: Path) -> None:
    nano = ROOT / "configs" / "bevformerv2_internimage_nano_synthetic.py"
    donor = MODELS.build(load_config(nano).model.backbone)
    weights = {f"backbone.{key}": value for key, value in donor.state_dict().items()}
    torch.save({"state_dict": {**weights, "roi_head.bbox_head.fc_cls.weight": torch.ones(1)}}, tmp_path / "mask.pth")
    init = {"model.backbone.init_cfg": dict(type="SafePretrained", checkpoint=str(tmp_path / "mask.pth"))}
    model = MODELS.build(load_config(nano, init).model)
    model.init_weights()
    for key, value in donor.state_dict().items():
        torch.testing.assert_close(model.backbone.state_dict()[key], value)
