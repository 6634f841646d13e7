from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tool_runs import run_tool

from bev.engine.checkpoint import CheckpointError
from bev.models.backbones import build_internimage

ROOT = Path(__file__).parents[2]
NANO = {"channels": 16, "depths": (1, 1, 2, 1), "groups": (1, 2, 4, 8)}


def test_features_of_a_published_layout(tmp_path, capsys) -> None:
    classifier = build_internimage("t", num_classes=2, **NANO)
    torch.save({"model": classifier.state_dict()}, tmp_path / "official.pth")
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((64, 64, 3), 90, np.uint8))
    config = ROOT / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
    common = (tmp_path / "photo.png", "--config", config, "--checkpoint", tmp_path / "official.pth")
    run_tool("extract_features", *common, "--layers", "stage1", "--out", tmp_path / "out")
    assert np.load(tmp_path / "out" / "photo.png.npz")["stage1"].shape == (32, 8, 8)
    assert "1 images" in capsys.readouterr().out


def test_two_images_of_one_name_have_their_own_features(tmp_path) -> None:
    config = ROOT / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
    torch.save(build_internimage("t", num_classes=2, **NANO).state_dict(), tmp_path / "weights.pth")
    found = []
    for folder, seed in (("one", 0), ("two", 1)):
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / folder / "photo.png"), pixels)
        options = ("--checkpoint", tmp_path / "weights.pth", "--layers", "stage1", "--out", tmp_path / "out")
        run_tool("extract_features", tmp_path / folder, "--config", config, *options)
        found.append(np.load(tmp_path / "out" / "photo.png.npz")["stage1"])
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_weights_of_another_model_are_refused(tmp_path) -> None:
    weights = build_internimage("t", num_classes=2, **NANO).state_dict()
    torch.save({key: value for key, value in weights.items() if "levels.3" not in key}, tmp_path / "part.pth")
    config = ROOT / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
    with pytest.raises(CheckpointError, match=r"lacks \d+ weights of the model, levels\.3"):
        files = ("--checkpoint", tmp_path / "part.pth", "--out", tmp_path / "out")
        run_tool("extract_features", tmp_path, "--config", config, *files)


def test_layers_are_listed_and_random_weights_are_said_to_be(tmp_path, capsys) -> None:
    config = ROOT / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
    run_tool("extract_features", "--config", config, "--list")
    said, *layers = capsys.readouterr().out.splitlines()
    assert said == "no checkpoint given: the features are those of random weights"
    assert {"stage0", "stage3"} < set(layers)


def test_without_a_name_the_last_stage_is_taken(tmp_path) -> None:
    """Of a backbone of three stages, too."""
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    config = ROOT / "configs" / "bevformerv2_internimage_nano_synthetic.py"
    run_tool("extract_features", tmp_path / "a.png", "--config", config, "--out", tmp_path / "out")
    assert np.load(tmp_path / "out" / "a.png.npz").files == ["stage2"]


def test_a_source_is_needed_unless_layers_are_listed(capsys) -> None:
    with pytest.raises(SystemExit):
        run_tool("extract_features", "--variant", "t")
    assert "required: source, --out (or --list)" in capsys.readouterr().err


def test_a_backbone_of_another_kind_is_refused(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"bevformer_tiny\.py: the backbone is a ResNet, not an InternImage"):
        run_tool(
            "extract_features", tmp_path, "--config", ROOT / "configs" / "bevformer_tiny.py", "--out", tmp_path / "out"
        )
