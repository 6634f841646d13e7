from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_nuscenes import write_pictures, write_tables

import bev
from bev.datasets.nuscenes.index_build import build_indexes
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.engine.training_benchmark import measure_training

NANO = Path(__file__).parents[2] / "configs" / "bevformerv2_internimage_nano_synthetic.py"


def small(root: Path, layers: int) -> Config:
    config = load_config(NANO)
    set_data_root(config, str(root))
    dataset = config.train_dataloader.dataset
    dataset.ann_file = "nuscenes_infos_mini_val.pkl"
    dataset.pipeline[1].update(crop=(0, 300, 1600, 900), size=(32, 64))
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    config.model.encoder.grid.shape = (10, 10)
    config.model.heads.detection.decoder.num_layers = layers
    return config


def test_both_configs_train_and_their_ratio_is_told(tmp_path: Path) -> None:
    bev.register_all()
    write_tables(tmp_path)
    build_indexes(tmp_path, "v1.0-mini")
    write_pictures(tmp_path)
    configs = small(tmp_path, 1), small(tmp_path, 2)
    before = [config.to_dict() for config in configs]
    record = measure_training(*configs, steps=2)
    assert record.steps == 2
    assert min(record.seconds, record.reference_seconds, record.ratio) > 0
    assert [config.to_dict() for config in configs] == before
    alone = measure_training(configs[0], None, steps=1)
    assert alone.seconds > 0
    assert alone.reference_seconds is None and alone.ratio is None
    with pytest.raises(ValueError, match="steps must be at least 1"):
        measure_training(*configs, steps=0)
