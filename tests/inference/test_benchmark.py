from __future__ import annotations

from pathlib import Path

import numpy as np

import bev
from bev.engine.config import load_config
from bev.inference.benchmark import _difference, measure_streaming

NANO = Path(__file__).parents[2] / "configs" / "bevformerv2_internimage_nano_synthetic.py"


def test_both_ways_find_the_same_and_the_times_are_told() -> None:
    bev.register_all()
    config = load_config(NANO)
    config.model.temporal = dict(type="TemporalFusion", num_frames=3, embed_dims=64, hidden_dims=64)
    config.test_dataloader.dataset.frame_offsets = (-2, -1, 0)
    config.test_dataloader.dataset.classes = config.classes
    record = measure_streaming(config, (32, 64), cameras=2, rounds=2)
    assert record.frames == 3
    assert record.largest_difference < 1e-4
    told = record.as_json()
    assert record.peak_bytes is None
    assert told["ratio"] == told["reference_seconds"] / told["seconds"] > 0


def test_the_order_of_boxes_does_not_count() -> None:
    boxes = np.arange(36.0).reshape(4, 9)
    assert _difference(boxes, boxes[[1, 0, 2, 3]]) == 0
    assert _difference(boxes, boxes + 0.5) == 0.5
    assert _difference(boxes, boxes[1:]) == 9
    assert _difference(boxes[:0], boxes) == 0
    assert _difference(boxes, boxes[:0]) == np.inf
