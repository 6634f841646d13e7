from __future__ import annotations

import numpy as np
import pytest

from bev.evaluation.openlane.benchmark import measure_metric, random_frames


@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_both_find_the_same_and_the_times_are_told(version: str) -> None:
    record = measure_metric(version, frames=2, lanes=5, rounds=1)
    assert record.largest_difference < 1e-7
    assert record.as_json()["ratio"] == record.reference_seconds / record.seconds > 0


def test_frames_have_the_lanes_that_were_asked_for() -> None:
    truths, predictions = random_frames(3, 4)
    assert truths.keys() == predictions.keys()
    for side in (truths, predictions):
        assert [len(frame["lane_centerline"]) for frame in side.values()] == [4, 4, 4]
    first, again = (random_frames(1, 4)[0]["val/0"]["topology_lclc"] for _ in range(2))
    assert np.array_equal(first, again)
