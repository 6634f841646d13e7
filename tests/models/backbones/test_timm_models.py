from __future__ import annotations

import pytest
import timm
import torch
from golden import fill

import bev.models.backbones.timm_models  # noqa: F401 (registers the models)
from bev.models.backbones.internimage import VARIANTS, InternImage, build_internimage

NANO = {"channels": 16, "depths": (1, 1, 2, 1), "groups": (1, 2, 4, 8)}


def nano(variant: str = "t", **settings: object) -> torch.nn.Module:
    return timm.create_model(f"internimage_{variant}", **{**NANO, **settings})


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_has_the_published_names(variant: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(f"internimage_{variant}", pretrained=False)
        published = build_internimage(variant, num_classes=1000)
    assert {key: value.shape for key, value in model.state_dict().items()} == {
        key: value.shape for key, value in published.state_dict().items()
    }
    assert model.pretrained_cfg["input_size"][1] in (224, 384, 512, 640)


def test_logits_are_the_models_own() -> None:
    model = nano(num_classes=5)
    fill(model)
    own = build_internimage("t", num_classes=5, **NANO)
    own.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = own.eval()(images)
        torch.testing.assert_close(model.eval()(images), expected)
        features = model.forward_head(model.forward_features(images), pre_logits=True)
        torch.testing.assert_close(model.get_classifier()(features), expected)


def test_features_only_gives_chosen_stages_and_keeps_no_others() -> None:
    model = nano(features_only=True, out_indices=(1, 2)).eval()
    assert model.feature_info.channels() == [32, 64]
    assert model.feature_info.reduction() == [8, 16]
    maps = model(torch.randn(1, 3, 64, 96))
    assert [tuple(value.shape) for value in maps] == [(1, 32, 8, 12), (1, 64, 4, 6)]
    extractor = build_internimage("t", out_indices=(1, 2), layer_scale=None, **NANO)
    assert {key.removeprefix("model.") for key in model.state_dict()} == set(extractor.state_dict())
    extractor.load_state_dict({key.removeprefix("model."): value for key, value in model.state_dict().items()})
    images = torch.randn(1, 3, 64, 96)
    for own, theirs in zip(extractor.eval()(images), model(images), strict=True):
        torch.testing.assert_close(theirs, own)


def test_the_classifier_can_be_replaced_and_left_out() -> None:
    model = nano("h", channels=64, groups=(2, 4, 8, 16), level2_post_norm_block_ids=(), num_classes=7)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 7)
    model.reset_classifier(3)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 3)
    model.reset_classifier(0)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, model.head_hidden_size)
    pooled = nano(num_classes=0)
    assert pooled(torch.randn(2, 3, 64, 64)).shape == (2, pooled.head_hidden_size) == (2, 192)


def test_gradient_checkpointing_is_switched() -> None:
    model = nano()
    model.set_grad_checkpointing()
    assert all(block.with_cp for stage in model.levels for block in stage.blocks)


def test_groups_run_from_the_stem_to_the_head() -> None:
    from timm.models import group_parameters

    groups = group_parameters(nano(), nano().group_matcher(), reverse=True)
    assert groups["patch_embed.conv1.weight"] == 0
    assert groups["levels.0.blocks.0.dcn.offset.weight"] < groups["levels.3.blocks.0.dcn.offset.weight"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pretrained": True}, "nothing can be downloaded"),
        ({"in_chans": 1}, "in_chans is 3"),
        ({"drop_rate": 0.1}, r"not 3, 0\.1 and avg"),
    ],
)
def test_what_is_not_offered_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nano(**settings)


def test_it_is_an_internimage() -> None:
    assert isinstance(nano(), InternImage)


def test_maps_come_channels_first() -> None:
    with pytest.raises(ValueError, match="maps as NCHW, not NHWC"):
        nano().forward_intermediates(torch.rand(1, 3, 32, 32), output_fmt="NHWC")
