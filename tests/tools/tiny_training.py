"""A training of seconds on made files: the nano config cut down, for tests of the tools around it."""

from __future__ import annotations

import os
from pathlib import Path

from tiny_nuscenes import write_pictures, write_tables

from bev.datasets.nuscenes.index_build import build_indexes

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "bevformerv2_internimage_nano_synthetic.py"
INDEX = "nuscenes_infos_mini_val.pkl"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def make_data(root: Path) -> Path:
    """A release of two scenes with pictures and index."""
    write_tables(root)
    build_indexes(root, "v1.0-mini")
    return write_pictures(root)


def options(data: Path, epochs: int) -> list[str]:
    """Arguments of `tools/train.py` and `tools/test.py`."""
    crop = "(0,300,1600,900)"
    return [
        "--data-root",
        str(data),
        "--cfg-options",
        *(f"{name}_dataloader.dataset.ann_file={INDEX}" for name in ("train", "val", "test")),
        *(f"{name}_dataloader.dataset.pipeline.1.crop={crop}" for name in ("train", "val", "test")),
        *(f"{name}_dataloader.dataset.pipeline.1.size=(32,64)" for name in ("train", "val", "test")),
        "model.encoder.grid.shape=(10,10)",
        "model.heads.detection.decoder.num_layers=1",
        "model.heads.detection.decoder.queries.num_queries=20",
        *(f"{name}_evaluator.{key}" for name in ("val", "test") for key in ("version=v1.0-mini", "split=mini_val")),
        f"train_cfg.max_epochs={epochs}",
        f"train_cfg.val_interval={epochs + 1}",
        "param_scheduler.1.T_max=4",
        "default_hooks.logger.interval=1",
    ]
