"""The nano Waymo config trains a step and evaluates on made segments."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.registry import DATASETS, FUNCTIONS, METRICS, MODELS
from tiny_waymo import write_release

import bev
from bev.datasets.waymo.index_build import build_indexes
from bev.engine.config import load_config, set_data_root

CONFIG = Path(__file__).parents[2] / "configs" / "bevformerv2_internimage_nano_waymo_synthetic.py"


def test_a_step_and_an_evaluation(tmp_path: Path) -> None:
    bev.register_all()
    root = write_release(tmp_path)
    build_indexes(root)
    config = load_config(CONFIG, {"model.encoder.grid.shape": (12, 12)})
    set_data_root(config, root)
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    training = DATASETS.build(config.train_dataloader.dataset)
    batch = FUNCTIONS.get("collate_clips")([training[0], training[1]])
    total, losses = model.parse_losses(model(**model.data_preprocessor(batch, True), mode="loss"))
    assert torch.isfinite(total), losses
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    held_out = DATASETS.build(config.val_dataloader.dataset)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = held_out.metainfo
    model.eval()
    for number in range(len(held_out)):
        batch = FUNCTIONS.get("collate_clips")([held_out[number]])
        with torch.no_grad():
            samples = model(**model.data_preprocessor(batch, False), mode="predict")
        metric.process(None, [sample.to_dict() for sample in samples])
    numbers = metric.evaluate(len(held_out))
    assert 0 <= numbers["waymo/LET-3D-APL"] <= numbers["waymo/LET-3D-AP"] <= 1
