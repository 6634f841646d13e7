"""The nano model, trained through mmengine on two real nuScenes frames alone, finds their objects."""

from __future__ import annotations

from pathlib import Path

import pytest

import bev
from bev.datasets.nuscenes.index_build import build_indexes
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.engine.runner import build_runner

NANO = Path(__file__).parents[1] / "configs" / "bevformerv2_internimage_nano_synthetic.py"
# The frames with pictures: the first two of scene-0103. They hold cars and pedestrians only.
FRAMES = [0, 1]
PRESENT = ("car", "pedestrian")
STEPS = 600


@pytest.mark.slow
def test_overfits_two_real_frames(shared_data, tmp_path):
    bev.register_all()
    root = shared_data / "nuscenes-mini-val"
    build_indexes(root, "v1.0-mini", out=tmp_path)
    overrides: dict = {
        "train_cfg.max_epochs": 1,
        "train_cfg.val_interval": 1,
        "param_scheduler.1.T_max": 1,
        "train_dataloader.dataset.indices": FRAMES * (STEPS // len(FRAMES)),
        "val_dataloader.dataset.indices": FRAMES,
        "val_evaluator.version": "v1.0-mini",
        "val_evaluator.split": "mini_val",
        "val_evaluator.only_predicted": True,
    }
    for name in ("train", "val"):
        overrides[f"{name}_dataloader.dataset.ann_file"] = str(tmp_path / "nuscenes_infos_mini_val.pkl")
        overrides[f"{name}_dataloader.dataset.pipeline.0.min_decode_scale"] = 0.3
        overrides[f"{name}_dataloader.dataset.pipeline.1.crop"] = (0, 300, 1600, 900)
        overrides[f"{name}_dataloader.num_workers"] = 1
    config = load_config(NANO, overrides)
    set_data_root(config, root)
    config.work_dir = str(tmp_path / "run")
    runner = build_runner(config)
    runner.train()
    metrics = runner.val()
    found = [metrics[f"nuscenes/{name}_AP"] for name in PRESENT]
    assert sum(found) / len(found) >= 0.5, found
