"""The tiny segmentor on real pictures: it learns them by heart, is evaluated from the tools, and resumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.engine.runner import build_runner

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "projects" / "segmentation" / "configs" / "internimage_nano_upernet_ade20k_sample.py"
Tool = Callable[..., None]


@pytest.fixture
def pictures(shared_data: Path) -> Path:
    """Three pictures of ADE20K with 15 classes."""
    source = shared_data / "images" / "ade20k_sceneparsing" / "sampleData"
    if not source.is_dir():
        pytest.skip(f"no pictures of ADE20K at {source}")
    return source


def look_twice(pictures: Path, work_dir: Path) -> dict[str, float]:
    """Metrics of a multi-scale test whose views are all alike."""
    config = load_config(CONFIG)
    set_data_root(config, pictures)
    config.work_dir, config.load_from = str(work_dir), str(work_dir / "final.pth")
    views = config.tta_pipeline[-1].transforms
    views[2] = [views[2][0]] * 2  # as it is, instead of mirrored
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.custom_hooks.append(dict(type="PrepareTTAHook", tta_cfg=config.tta_model))
    return build_runner(config).test()


def test_it_learns_three_pictures_by_heart(tool: Tool, pictures: Path, tmp_path: Path) -> None:
    common = ("--data-root", pictures, "--work-dir", tmp_path)
    tool("train", CONFIG, *common, "--cfg-options", "train_cfg.max_iters=50", "train_cfg.val_interval=200")
    assert torch.load(tmp_path / "final.pth", weights_only=True)["meta"] == {"epoch": 0, "iter": 50}
    tool("train", CONFIG, *common, "--resume")
    final = torch.load(tmp_path / "final.pth", weights_only=True)
    assert final["meta"] == {"epoch": 0, "iter": 100}
    assert "decode_head.conv_seg.weight" in final["state_dict"]
    tool("test", CONFIG, tmp_path / "final.pth", *common)
    metrics = json.loads((tmp_path / "test_metrics.json").read_text())
    assert metrics["mIoU"] >= 60
    assert look_twice(pictures, tmp_path) == pytest.approx(metrics)
