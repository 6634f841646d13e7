"""Boxes, occupancy and lanes on one BEV, trained and judged in one run on a world of two frames."""

from __future__ import annotations

from pathlib import Path

import pytest

import bev
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.openlane_v2.index_build import build_indexes as build_lane_indexes
from bev.datasets.synthetic import generate
from bev.datasets.synthetic.export_openlane import export_openlane
from bev.datasets.synthetic.occupancy import export_occupancy
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.engine.runner import build_runner

CONFIG = Path(__file__).parents[2] / "configs" / "multitask_lanes_internimage_nano_synthetic.py"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Data root of a training and a held-out scene of one key frame each, with labels of all three tasks."""
    root = tmp_path / "world"
    generate(root, scenes=1, val_scenes=1, frames=1, seed=3, workers=1, image_size=(352, 198), progress=False)
    build_indexes(root, "v1.0-trainval")
    export_occupancy(root, workers=1)
    export_openlane(root, workers=1, progress=False)
    build_lane_indexes(root, "B")
    return root


def test_all_three_metrics_are_reported(world: Path, tmp_path: Path) -> None:
    bev.register_all()
    single = {f"{name}_dataloader.num_workers": 0 for name in ("train", "val")}
    config = load_config(CONFIG, {**single, "train_cfg.max_epochs": 1, "train_cfg.val_interval": 1})
    set_data_root(config, world)
    config.work_dir = str(tmp_path / "work")
    runner = build_runner(config)
    runner.train()
    assert runner.iter == 1
    losses = runner.message_hub.log_scalars
    assert all(f"train/{task}" in losses for task in ("detection.loss_cls", "lanes.lane.loss_cls"))
    assert any(name.startswith("train/occupancy.") for name in losses)
    metrics = {name.removeprefix("val/"): log.current() for name, log in losses.items() if name.startswith("val/")}
    for name in ("nuscenes/mAP", "nuscenes/NDS", "openlane/OLS", "openlane/TOP_ll"):
        assert 0 <= metrics[name] <= 1, name
    assert any(name.startswith("occupancy/") for name in metrics), sorted(metrics)
