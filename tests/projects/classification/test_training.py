"""The tiny classifier on real images in archives: it learns them, is evaluated from the tools, and resumes."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
Tool = Callable[..., None]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs a tool in this process, as from the command line."""

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / "tools" / f"{name}.py"))["main"]()

    return run


@pytest.fixture
def images(shared_data: Path, tmp_path: Path) -> str:
    """Address of the two classes of ImageNet; indexes of the archives go to a folder of our own."""
    source = shared_data / "images" / "imagenet_1k_test" / "train"
    if not source.is_dir():
        pytest.skip(f"no images of ImageNet at {source}")
    (tmp_path / "data" / "train").mkdir(parents=True)
    for archive in source.glob("*.tar"):
        (tmp_path / "data" / "train" / archive.name).symlink_to(archive)
    return f"archive://{tmp_path}/data"


def test_it_separates_the_classes(tool: Tool, images: str, tmp_path: Path) -> None:
    common = ("--data-root", images, "--work-dir", tmp_path / "run")
    tool("train", CONFIG, *common, "--cfg-options", "train_cfg.max_epochs=10", "train_cfg.val_interval=10")
    assert torch.load(tmp_path / "run" / "final.pth", weights_only=True)["meta"]["epoch"] == 10
    tool("train", CONFIG, *common, "--resume")
    checkpoint = torch.load(tmp_path / "run" / "final.pth", weights_only=True)
    assert checkpoint["meta"] == {"epoch": 20, "iter": 20}
    assert "backbone.conv_head.0.weight" in checkpoint["state_dict"]
    tool("test", CONFIG, tmp_path / "run" / "final.pth", *common)
    assert json.loads((tmp_path / "run" / "test_metrics.json").read_text()) == {"accuracy/top1": 100.0}
