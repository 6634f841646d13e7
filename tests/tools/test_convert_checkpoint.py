from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from attack import Attack

TOOL = Path(__file__).parents[2] / "tools" / "convert_checkpoint.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_and_back(tmp_path: Path) -> None:
    official = {
        "pts_bbox_head.reg_branches.0.4.weight": torch.randn(10, 4),
        "pts_bbox_head.code_weights": torch.ones(10),
        "img_backbone.conv1.weight": torch.randn(2, 3, 1, 1),
    }
    source, own, back = (tmp_path / name for name in ("official.pth", "own.pth", "back.pth"))
    torch.save({"state_dict": {f"module.{key}": value for key, value in official.items()}, "meta": {}}, source)
    first = run("bevformer", source, own, "--report", tmp_path / "report.json")
    assert first.returncode == 0, first.stderr
    assert "1 keys mapped, 1 folded, 1 ignored" in first.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mapped"] == {"img_backbone.conv1.weight": "backbone.conv1.weight"}
    assert run("bevformer", own, back, "--export").returncode == 0
    returned = torch.load(back, weights_only=True)["state_dict"]
    assert set(returned) == set(official) - {"pts_bbox_head.code_weights"}
    assert all(torch.equal(value, official[key]) for key, value in returned.items())


def test_a_file_of_another_model_ends_with_one_line(tmp_path: Path) -> None:
    torch.save({"decoder.weight": torch.ones(1)}, tmp_path / "other.pth")
    result = run("bevformer", tmp_path / "other.pth", tmp_path / "out.pth")
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith("error: 1 keys are not part of bevformer: decoder.weight")
    assert not (tmp_path / "out.pth").exists()


def test_a_hostile_internimage_file_is_refused_and_not_run(tmp_path: Path) -> None:
    weights = {"backbone.patch_embed.conv1.weight": torch.ones(1)}
    torch.save({"state_dict": weights, "meta": Attack(os.mkdir, str(tmp_path / "trace"))}, tmp_path / "hostile.pth")
    result = run("internimage", tmp_path / "hostile.pth", tmp_path / "out.pth")
    assert result.returncode == 1
    assert "not on the list of safe types" in result.stderr and "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.pth"]


def test_an_internimage_classifier_goes_there_and_back(tmp_path: Path) -> None:
    official = {"patch_embed.conv1.weight": torch.randn(2, 3, 3, 3), "head.bias": torch.randn(2)}
    source, own, back = (tmp_path / name for name in ("official.pth", "own.pth", "back.pth"))
    torch.save({"model": official}, source)
    assert run("internimage", source, own).returncode == 0
    assert set(torch.load(own, weights_only=True)["state_dict"]) == {f"backbone.{key}" for key in official}
    assert run("internimage", own, back, "--export").returncode == 0
    returned = torch.load(back, weights_only=True)["state_dict"]
    assert all(torch.equal(returned[key], value) for key, value in official.items())
