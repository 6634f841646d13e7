from __future__ import annotations

from pathlib import Path

import pytest
from tiny_nuscenes import write_occupancy, write_pictures, write_tables

from bev.datasets.nuscenes.index_build import build_indexes
from bev.evaluation.ray_benchmark import measure_rays

INDEX = "nuscenes_infos_mini_val.pkl"


def test_frames_come_round_again_and_the_times_are_told(tmp_path: Path) -> None:
    write_tables(tmp_path)
    build_indexes(tmp_path, "v1.0-mini")
    write_pictures(tmp_path)
    write_occupancy(tmp_path)
    record = measure_rays(str(tmp_path), str(tmp_path / INDEX), frames=9, reference_rays=20)
    assert record.frames == 9
    assert record.largest_difference < 1e-3
    told = record.as_json()
    assert told["ratio"] == told["reference_seconds_per_ray"] / told["seconds_per_ray"] > 0
    with pytest.raises(ValueError, match="at least one of each"):
        measure_rays(str(tmp_path), str(tmp_path / INDEX), frames=0)
