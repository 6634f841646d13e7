"""The fast metrics against the plain formulation, which shares no compiled code with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bev.evaluation.waymo_let import MetricConfig, accumulate, split_frames
from bev.evaluation.waymo_let.benchmark import measure_metrics, synthetic_objects
from bev.evaluation.waymo_let.reference import reference_counts

CUTOFFS = (0.0, 0.1, 0.35, 0.7, 1.0)


@pytest.mark.parametrize("config", [MetricConfig.challenge((1, 2)), MetricConfig.plain()])
def test_counts_and_sums_are_equal(config: MetricConfig) -> None:
    config = replace(config, score_cutoffs=CUTOFFS, iou_thresholds=(0, 0.2, 0.1, 0.1, 0.1))
    predictions, truths = synthetic_objects(frames=6, objects=20, each=3)
    rng = np.random.default_rng(1)
    predictions["nlz"] = rng.uniform(size=len(predictions["type"])) < 0.2
    truths["camera"] = rng.integers(0, 6, len(truths["type"]))
    frames = list(split_frames(predictions, truths))
    fast = accumulate(frames, config).totals
    np.testing.assert_allclose(fast, reference_counts(frames, config), rtol=0, atol=1e-5)
    assert (fast.sum(axis=(0, 1)) > 0).all()


def test_the_benchmark_tells_times_memory_and_difference() -> None:
    record = measure_metrics(frames=4, objects=8, each=2, workers=2, reference_frames=1)
    assert record.largest_difference < 1e-5
    assert (record.frames, record.predictions, record.reference_frames) == (4, 16, 1)
    assert np.isnan(record.peak_bytes) or record.peak_bytes > 2**20
    told = record.as_json()
    assert told["ratio"] == told["reference_seconds_per_frame"] / told["seconds_per_frame"] > 0
