from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import write_occupancy, write_pictures, write_tables

from bev.datasets.nuscenes.index_build import build_indexes
from bev.evaluation.ray_benchmark import follow_ray, measure_rays
from bev.geometry.voxel_rays import first_hits

INDEX = "nuscenes_infos_mini_val.pkl"


def test_rays_in_python_are_the_compiled_ones() -> None:
    generator = np.random.default_rng(0)
    voxels = np.where(generator.random((12, 9, 7)) < 0.05, generator.integers(0, 17, (12, 9, 7)), 17).astype(np.uint8)
    origin = np.array([5.3, 4.6, 2.2])
    rays = generator.normal(size=(300, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    labels, distances = first_hits(voxels, 17, origin, rays)
    followed = [follow_ray(voxels, 17, origin, ray) for ray in rays]
    assert [label for label, _ in followed] == labels[0].tolist()
    np.testing.assert_allclose([distance for _, distance in followed], distances[0], atol=1e-5)


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
