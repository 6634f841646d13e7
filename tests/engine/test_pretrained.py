from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from attack import Attack
from golden import fill
from safetensors.torch import load_file, save_file

from bev.engine.checkpoint import CheckpointError, load_weights, safe_load
from bev.engine.pretrained import load_pretrained, save_pretrained
from bev.models.backbones.internimage import InternImage, build_internimage

NANO = {"channels": 16, "depths": (1, 1, 2, 1), "groups": (1, 2, 4, 8)}


def filled(**settings: object) -> InternImage:
    model = build_internimage("s", **NANO, **settings)
    fill(model)
    return model.eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pretrained(filled(num_classes=3), tmp_path)
    return tmp_path


@torch.no_grad()
def test_a_classifier_comes_back(folder: Path) -> None:
    model = load_pretrained(folder).eval()
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(images), filled(num_classes=3)(images))
    assert json.loads((folder / "config.json").read_text())["num_classes"] == 3


@torch.no_grad()
def test_a_classifiers_folder_serves_as_feature_extractor(folder: Path) -> None:
    maps = load_pretrained(folder, out_indices=(1, 3)).eval()(images := torch.randn(1, 3, 64, 64))
    expected = filled(num_classes=3).forward_stages(images)
    torch.testing.assert_close(maps[1], expected[3].permute(0, 3, 1, 2))


def test_a_feature_extractor_comes_back(tmp_path: Path) -> None:
    save_pretrained(filled(), tmp_path)
    model = load_pretrained(tmp_path)
    assert model.out_indices == (0, 1, 2, 3)
    with pytest.raises(ValueError, match="ends with stage 1"):
        save_pretrained(filled(out_indices=(0, 1)), tmp_path)


@torch.no_grad()
def test_hugging_face_reads_and_writes_the_same_folder(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is an optional package")
    from transformers import AutoModelForImageClassification

    import bev.models.backbones.huggingface  # noqa: F401 (registers the models)

    model, images = AutoModelForImageClassification.from_pretrained(folder).eval(), torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(model(images).logits, load_pretrained(folder).eval()(images))
    model.save_pretrained(tmp_path / "again")
    torch.testing.assert_close(load_pretrained(tmp_path / "again").eval()(images), model(images).logits)


def test_safetensors_load_like_any_checkpoint(folder: Path) -> None:
    model = build_internimage("s", num_classes=3, **NANO)
    report = load_weights(model, folder / "model.safetensors", strict=True)
    assert report.prefix == "model."
    assert torch.equal(model.head.weight, filled(num_classes=3).head.weight)


def test_a_pickle_in_disguise_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"model.head.weight": Attack(os.mkdir, str(trace))}, folder / "model.safetensors")
    for read in (lambda: load_pretrained(folder), lambda: safe_load(folder / "model.safetensors")):
        with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged, or no safetensors file"):
            read()
    assert not trace.exists()


def test_wrong_folders_are_explained(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    save_file({key: value for key, value in weights.items() if "head" not in key}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"(?s)lacks weights of the model.*conv_head"):
        load_pretrained(folder)
    for change, message in (
        ({"model_type": "resnet"}, "model_type is 'resnet'"),
        ({"groups": [3, 3, 3, 3]}, "no multiple of its 3 groups"),
        ({"channels": 32}, "doesn't fit the model"),
    ):
        (folder / "config.json").write_text(json.dumps(content | change))
        with pytest.raises(CheckpointError, match=message):
            load_pretrained(folder)
    for text, message in (("{", "not valid JSON"), ("[1]", "expected an object")):
        (folder / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=message):
            load_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError):
        load_pretrained(folder)
