from __future__ import annotations

import pytest
import torch
from bev_ops.modules import DCNv3
from golden import fill, inp
from mmengine.registry import MODELS

from bev.models.backbones import InternImage, build_internimage

NANO = {"channels": 16, "depths": (1, 1, 2, 1), "groups": (2, 4, 8, 16)}
SMALL_CLIP = {"channels": 64, "depths": (1, 1, 3, 1), "groups": (2, 4, 8, 16)}
# Logits of the official classification model (OpenGVLab/InternImage @ 31c962d, DCNv3_pytorch) with SMALL_CLIP,
# filled as the other goldens, for inp("internimage_small", (2, 3, 64, 96)): no golden covers H's and G's arithmetic.
OFFICIAL_CLIP_LOGITS = {
    "h": [[0.4503903, -0.2933789, -0.0042132, 0.7501614], [1.4815345, -0.1779192, -0.3369761, 0.6122983]],
    "g": [[0.1350465, 0.4142380, -0.2027461, 0.1905668], [0.8773771, -0.1315252, -0.7491976, 0.5488625]],
}
CLIP_SETTINGS = {
    "h": {"level2_post_norm_block_ids": (1,)},
    "g": {"level2_post_norm_block_ids": (0, 2), "remove_center": True},
}


def nano(variant: str = "t", **settings: object) -> InternImage:
    return build_internimage(variant, **{**NANO, **settings})


def randomised(model: InternImage) -> InternImage:
    """The model with random values everywhere: freshly built, DCNv3 samples nothing but undisplaced points."""
    fill(model)
    return model


def images(height: int = 64, width: int = 96) -> torch.Tensor:
    return inp("images", (2, 3, height, width))


@pytest.mark.parametrize("variant", ["h", "g"])
def test_clip_classifier_matches_official(variant: str) -> None:
    model = build_internimage(variant, num_classes=4, **SMALL_CLIP, **CLIP_SETTINGS[variant])
    logits = randomised(model).eval()(inp("internimage_small", (2, 3, 64, 96)))
    torch.testing.assert_close(logits, torch.tensor(OFFICIAL_CLIP_LOGITS[variant]), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(37, 51), (64, 33), (1, 1)])
def test_odd_sizes_are_rounded_up(height: int, width: int) -> None:
    for stage, value in enumerate(nano().eval()(images(height, width))):
        stride = 4 * 2**stage
        assert value.shape == (2, 16 * 2**stage, -(-height // stride), -(-width // stride))
        assert value.permute(0, 2, 3, 1).is_contiguous()


def test_clip_classifier_takes_odd_maps() -> None:
    model = build_internimage("h", num_classes=4, **SMALL_CLIP, **CLIP_SETTINGS["h"])
    assert model.eval()(images(80, 112)).shape == (2, 4)  # 5 x 7 in the third stage, 3 x 4 in the last


def test_feature_extractor_is_built_from_config() -> None:
    model = MODELS.build({"type": "InternImage", "variant": "s", "out_indices": [1, 2], **NANO})
    assert isinstance(model, InternImage)
    assert model.out_indices == (1, 2)
    assert model.out_channels == (32, 64)
    assert [value.shape[1] for value in model(images())] == [32, 64]


def test_feature_extractor_has_no_unused_parameters() -> None:
    model = randomised(nano(out_indices=(0, 1)))
    sum(value.square().mean() for value in model(images())).backward()
    assert model.depths == (1, 1)
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert unused == []


def test_keep_all_stages_loads_whole_checkpoints_and_freezes_the_rest() -> None:
    whole, model = randomised(nano()).eval(), nano(out_indices=(0, 1), keep_all_stages=True).eval()
    model.load_state_dict(whole.state_dict(), strict=True)
    for expected, value in zip(whole(images()), model(images()), strict=False):
        torch.testing.assert_close(value, expected)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == set(nano(out_indices=(0, 1)).state_dict())


def test_fewer_stages_than_four() -> None:
    model = nano(depths=(1, 2), groups=(2, 4))
    assert [tuple(value.shape[1:]) for value in model(images())] == [(16, 16, 24), (32, 8, 12)]


def test_batch_norm_stem_normalises_over_the_batch() -> None:
    model = nano(stem_norm="BN")
    names = {name for name, _ in model.named_buffers() if name.endswith("running_mean")}
    assert "patch_embed.norm1.0.running_mean" in names
    assert "levels.2.downsample.norm.0.running_mean" in names
    model.train()(images() + 3)
    assert model.patch_embed.norm1[0].running_mean.abs().max() > 0


def test_unbounded_weights_reach_every_block() -> None:
    layers = [module for module in nano(dcn_softmax=False).modules() if isinstance(module, DCNv3)]
    assert layers and not any(layer.softmax for layer in layers)
    assert all(layer.softmax for layer in nano().modules() if isinstance(layer, DCNv3))


def test_drop_path_acts_in_training_only() -> None:
    model = randomised(nano(drop_path_rate=0.9))
    torch.manual_seed(0)
    train = [model.train()(images())[-1] for _ in range(2)]
    plain = randomised(nano(drop_path_rate=0.0)).eval()(images())[-1]
    assert not torch.equal(*train)
    torch.testing.assert_close(model.eval()(images())[-1], plain)


def test_drop_path_grows_linearly_over_all_blocks() -> None:
    model = nano(drop_path_rate=0.4)
    rates = [getattr(block.drop_path, "drop_prob", 0.0) for stage in model.levels for block in stage.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_gradient_checkpointing_changes_nothing_but_memory() -> None:
    gradients, recomputed = [], []
    for with_cp in (False, True):
        model = randomised(nano(with_cp=with_cp, drop_path_rate=0.3)).train()
        calls: list[int] = []
        model.levels[2].blocks[0].mlp.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        torch.manual_seed(0)
        model(images())[-1].square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
        recomputed.append(len(calls))
    assert recomputed == [1, 2]
    assert len(gradients[0]) == len(gradients[1])
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(checkpointed, plain)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_classes": 0}, "num_classes 0"),
        ({"num_classes": 10, "out_indices": (0,)}, "no out_indices"),
        ({"out_indices": (1, 4)}, r"out_indices \(1, 4\)"),
        ({"out_indices": ()}, "out_indices"),
        ({"groups": (3, 4, 8, 16)}, "16 channels of stage 0 .* 3 groups"),
        ({"depths": (1, 1)}, "one positive entry per stage"),
        ({"stem_norm": "GN"}, "stem_norm 'GN'"),
        ({"res_post_norm": True}, "layer_scale"),
        ({"level2_post_norm_block_ids": (1, 2)}, r"\[2\] are beyond the 2 blocks"),
    ],
)
def test_inconsistent_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nano(**settings)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="variant 'xxl' is none of t, s, b"):
        build_internimage("xxl")
    with pytest.raises(TypeError, match="no such setting: core_op; there are channels"):
        build_internimage("t", core_op="DCNv3")


def test_export_without_gradients_leaves_the_batch_free() -> None:
    model = nano(out_indices=(1, 2, 3)).eval()
    with torch.no_grad():
        batch = torch.export.Dim("batch", min=1, max=64)
        program = torch.export.export(model, (torch.randn(2, 3, 128, 192),), dynamic_shapes=({0: batch},)).module()
        images = torch.randn(5, 3, 128, 192)
        for exported, eager in zip(program(images), model(images), strict=True):
            torch.testing.assert_close(exported, eager, atol=1e-5, rtol=1e-4)
