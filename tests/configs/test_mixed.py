"""One training on nuScenes and Waymo, evaluated on both with both metrics, as it is and with test-time augmentation."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_nuscenes import write_pictures, write_tables
from tiny_waymo import write_release

import bev
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.waymo.index_build import build_indexes as build_waymo_indexes
from bev.engine.augmented_test import augment_test
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.engine.runner import build_runner

CONFIG = Path(__file__).parents[2] / "configs" / "bevformerv2_internimage_nano_mixed_synthetic.py"
SMALL = {
    "model.encoder.grid.shape": (10, 10),
    "model.heads.detection.decoder.num_layers": 1,
    "model.heads.detection.decoder.queries.num_queries": 20,
    "train_cfg.max_epochs": 1,
    "train_cfg.val_interval": 2,
    "param_scheduler.1.T_max": 1,
    "train_dataloader.batch_size": 2,
    **{
        f"{split}_dataloader.dataset.datasets.0.{key}": value
        for split in ("train", "val", "test")
        for key, value in (
            ("ann_file", "nuscenes_infos_mini_val.pkl"),
            ("pipeline.1.crop", (0, 300, 1600, 900)),
            ("pipeline.1.size", (32, 64)),
        )
    },
    **{f"{split}_dataloader.dataset.datasets.1.pipeline.2.size": (48, 64) for split in ("train", "val", "test")},
    **{f"{split}_dataloader.num_workers": 0 for split in ("train", "val", "test")},
    **{f"{split}_evaluator.0.version": "v1.0-mini" for split in ("val", "test")},
    **{f"{split}_evaluator.0.split": "mini_val" for split in ("val", "test")},
}
EXPECTED = {"nuscenes/mAP", "nuscenes/NDS", "nuscenes/car_AP", "waymo/LET-3D-APL", "waymo/vehicle_LET-3D-APL"}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    bev.register_all()
    nuscenes = write_tables(tmp_path / "synthetic")
    build_indexes(nuscenes, "v1.0-mini")
    write_pictures(nuscenes)
    build_waymo_indexes(write_release(tmp_path / "synthetic_waymo"))
    config = load_config(CONFIG, SMALL)
    set_data_root(config, tmp_path)
    config.work_dir = str(tmp_path / "work")
    return config


def test_training_and_both_metrics(config: Config) -> None:
    augmented = copy.deepcopy(config)
    augment_test(augmented)
    runner = build_runner(config)
    drawn = []
    collate = runner.train_dataloader.collate_fn
    runner.train_dataloader.collate_fn = lambda items: drawn.append(collate(items)) or drawn[-1]
    runner.train()
    names = [{sample.metainfo["dataset"] for sample in batch["data_samples"]} for batch in drawn]
    assert len(names) == 6
    assert {"nuscenes", "waymo"} in names
    check(runner.val_loop.run())
    check(build_runner(augmented).test())


def check(scores: dict[str, float]) -> None:
    assert set(scores) > EXPECTED
    assert "nuscenes/truck_AP" not in scores
    assert all(0 <= scores[name] <= 1 for name in EXPECTED)
