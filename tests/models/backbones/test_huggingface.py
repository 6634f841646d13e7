from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from golden import fill

pytest.importorskip("transformers", reason="transformers is an optional package")

from transformers import AutoConfig, AutoModel, AutoModelForImageClassification

from bev.models.backbones.huggingface import InternImageConfig, InternImageModelForImageClassification
from bev.models.backbones.internimage import VARIANTS, architecture, build_internimage
from bev.models.backbones.internimage.settings import SettingsError, from_settings, to_settings

NANO = {"channels": 16, "depths": (1, 1, 2, 1), "groups": (1, 2, 4, 8)}
# The config.json of OpenGVLab/internimage_t_1k_224, without what only concerns its own code.
PUBLISHED_T = {
    "model_type": "internimage",
    "act_layer": "GELU",
    "center_feature_scale": False,
    "channels": 64,
    "cls_scale": 1.5,
    "core_op": "DCNv3",
    "depths": [4, 4, 18, 4],
    "drop_path_rate": 0.0,
    "drop_path_type": "linear",
    "drop_rate": 0.0,
    "dw_kernel_size": None,
    "groups": [4, 8, 16, 32],
    "layer_scale": None,
    "level2_post_norm": False,
    "level2_post_norm_block_ids": None,
    "mlp_ratio": 4.0,
    "norm_layer": "LN",
    "num_classes": 1000,
    "offset_scale": 1.0,
    "post_norm": False,
    "remove_center": False,
    "res_post_norm": False,
    "use_clip_projector": False,
    "with_cp": False,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved classifier of 3 classes."""
    model = InternImageModelForImageClassification(InternImageConfig.of_variant("s", num_classes=3, **NANO))
    fill(model)
    model.save_pretrained(tmp_path)
    return tmp_path


@torch.no_grad()
def test_a_saved_classifier_comes_back(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    own = build_internimage("s", num_classes=3, **NANO).eval()
    own.load_state_dict({key.removeprefix("model."): value for key, value in model.state_dict().items()})
    fill(expected := InternImageModelForImageClassification(InternImageConfig.of_variant("s", num_classes=3, **NANO)))
    images, labels = torch.randn(2, 3, 64, 64), torch.tensor([0, 2])
    output = model(images, labels=labels, output_hidden_states=True)
    torch.testing.assert_close(output.logits, expected.eval()(images).logits)
    torch.testing.assert_close(output.logits, own(images))
    torch.testing.assert_close(output.loss, torch.nn.functional.cross_entropy(output.logits, labels))
    assert [value.shape[1] for value in output.hidden_states] == [16, 32, 64, 128]
    assert model.config.num_labels == 3


@torch.no_grad()
def test_features_come_from_a_classifiers_folder(folder: Path) -> None:
    model, classifier = AutoModel.from_pretrained(folder), AutoModelForImageClassification.from_pretrained(folder)
    images = torch.randn(1, 3, 64, 64)
    output = model.eval()(images)
    expected = classifier.eval()(images, output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(output.last_hidden_state, expected)
    torch.testing.assert_close(output.pooler_output, expected.mean((2, 3)))
    assert isinstance(model(images, return_dict=False), tuple)


def test_the_published_config_is_understood(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED_T))
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, InternImageConfig)
    with torch.device("meta"):
        model = AutoModelForImageClassification.from_config(config)
        published = build_internimage("t", num_classes=1000)
    assert [key.removeprefix("model.") for key in model.state_dict()] == list(published.state_dict())


@pytest.mark.parametrize("variant", VARIANTS)
def test_architectures_go_through_json(variant: str) -> None:
    arch = architecture(variant, classifier=True)
    settings = json.loads(json.dumps(to_settings(arch, 10)))
    assert architecture("t", **from_settings(settings)) == arch


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "resnet"}, "model_type is 'resnet'"),
        ({"depths": None}, "needs depths"),
        ({"core_op": "DCNv4"}, "core_op is 'DCNv4'"),
        ({"drop_path_type": "uniform"}, "only 'linear' is offered"),
    ],
)
def test_other_models_are_refused(change: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_settings({**PUBLISHED_T, **change})


def test_what_a_file_lacks_is_initialised(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    weights = load_file(file)
    lacking = ("model.head.weight", "model.levels.3.blocks.0.gamma1", "model.levels.0.blocks.0.dcn.offset.weight")
    save_file({key: value for key, value in weights.items() if key not in lacking}, file, {"format": "pt"})
    state = AutoModelForImageClassification.from_pretrained(folder).state_dict()
    assert state["model.head.weight"].std().item() == pytest.approx(0.02, rel=0.3)
    assert torch.all(state["model.levels.3.blocks.0.gamma1"] == 1e-5)
    assert torch.all(state["model.levels.0.blocks.0.dcn.offset.weight"] == 0)
    for key in set(weights) - set(lacking):
        assert torch.equal(state[key], weights[key]), key
