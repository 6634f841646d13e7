from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from bev.engine.config import load_config
from bev.engine.data_config import evaluated_dataset, set_data_root

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_data_root_for_all_parts():
    config = load_config(CONFIGS / "bevformerv2_internimage_nano_synthetic.py")
    set_data_root(config, "elsewhere")
    assert config.train_dataloader.dataset.data_root == config.val_evaluator.data_root == "elsewhere"


def test_data_sets_keep_their_folders_under_another_root():
    config = load_config(CONFIGS / "bevformerv2_internimage_nano_mixed_synthetic.py")
    set_data_root(config, "elsewhere")
    for members in (config.train_dataloader.dataset.datasets, config.val_dataloader.dataset.datasets):
        assert [member.data_root for member in members] == ["elsewhere/synthetic", "elsewhere/synthetic_waymo"]
    assert [part.data_root for part in config.test_evaluator] == ["elsewhere/synthetic", "elsewhere/synthetic_waymo"]
    assert evaluated_dataset(config).data_root == "elsewhere/synthetic"


def test_data_root_moves_the_paths_under_it():
    config = Config(
        dict(
            data_root="data/coco/",
            loader=dict(dataset=dict(data_root="data/coco/", ann_file="annotations/a.json")),
            evaluators=[dict(ann_file="data/coco/annotations/a.json"), dict(other="data/coconut/a.json")],
        )
    )
    set_data_root(config, "/mnt/coco")
    assert config.loader.dataset == dict(data_root="/mnt/coco", ann_file="annotations/a.json")
    assert config.evaluators == [dict(ann_file="/mnt/coco/annotations/a.json"), dict(other="data/coconut/a.json")]
