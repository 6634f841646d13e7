"""Boxes, occupancy and lanes on one BEV, and lanes alone, trained and judged in one run on a world of two frames."""

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

CONFIGS = Path(__file__).parents[2] / "configs"


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


def train(name: str, world: Path, work_dir: Path, length: str) -> tuple[set[str], dict[str, float]]:
    """Names of the training losses, and metrics, of one iteration; `length` is the option of the train loop for it."""
    bev.register_all()
    single = {f"{split}_dataloader.num_workers": 0 for split in ("train", "val")}
    config = load_config(CONFIGS / f"{name}.py", {**single, length: 1, "train_cfg.val_interval": 1})
    set_data_root(config, world)
    config.work_dir = str(work_dir / "work")
    runner = build_runner(config)
    runner.train()
    assert runner.iter == 1
    scalars = runner.message_hub.log_scalars
    losses = {key.removeprefix("train/") for key in scalars if key.startswith("train/")}
    return losses, {key.removeprefix("val/"): log.current() for key, log in scalars.items() if key.startswith("val/")}


def test_all_three_metrics_are_reported(world: Path, tmp_path: Path) -> None:
    losses, metrics = train("multitask_lanes_internimage_nano_synthetic", world, tmp_path, "train_cfg.max_epochs")
    assert {"detection.loss_cls", "lanes.lane.loss_cls"} <= losses
    assert any(name.startswith("occupancy.") for name in losses)
    for name in ("nuscenes/mAP", "nuscenes/NDS", "openlane/OLS", "openlane/TOP_ll"):
        assert 0 <= metrics[name] <= 1, name
    assert any(name.startswith("occupancy/") for name in metrics), sorted(metrics)


def test_lanes_alone(world: Path, tmp_path: Path) -> None:
    losses, metrics = train("openlane_internimage_nano_synthetic", world, tmp_path, "train_cfg.max_iters")
    assert {"lanes.lane.loss_cls", "image_lanes.loss_passed", "perspective.loss_centre"} <= losses
    assert 0 <= metrics["openlane/OLS"] <= 1
    assert not any(name.startswith("nuscenes/") for name in metrics), sorted(metrics)
