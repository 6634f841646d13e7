"""Tracks between annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_nuscenes import write_tables

from bev.datasets.nuscenes.index_tables import TablesError, open_tables
from bev.datasets.occ3d.recording import Recording, Track
from bev.inference.nuscenes_tracks import track_results


def track(centres: list[list[float]], yaws: list[float], times: list[float]) -> Track:
    rotations = Rotation.from_euler("z", np.array(yaws)[:, None])
    return Track(4, np.array([4.0, 2.0, 1.5]), np.array(times), np.array(centres), rotations)


def test_poses_between_annotations() -> None:
    car = track([[0, 0, 1], [4, 2, 1]], [3.0, -3.0], [10.0, 10.5])  # the heading crosses the seam at pi
    poses, known = car.poses(np.array([9.9, 10.0, 10.25, 10.5, 10.6]))
    assert known.tolist() == [False, True, True, True, False]
    assert poses[2, :3, 3] == pytest.approx([2, 1, 1])
    assert np.abs(np.arctan2(poses[2, 1, 0], poses[2, 0, 0])) == pytest.approx(np.pi)
    assert poses[0] == pytest.approx(poses[1])
    assert poses[4] == pytest.approx(poses[3])


def test_what_stands_is_there_all_the_time() -> None:
    parked = track([[5, 5, 1], [5.1, 5, 1]], [0.3, 0.3], [10.0, 10.5])
    assert parked.stands
    assert parked.poses(np.array([0.0, 99.0]))[1].all()
    seen_once = track([[5, 5, 1]], [0.3], [10.0])
    poses, known = seen_once.poses(np.array([3.0]))
    assert known.all()
    assert poses[0, :3, 3] == pytest.approx([5, 5, 1])
    assert not track([[5, 5, 1], [5.5, 5, 1]], [0, 0], [10.0, 10.5]).stands


def test_samples_without_an_end_are_named(tmp_path: Path) -> None:
    write_tables(tmp_path, edit=lambda tables: tables["sample"][2].update(next="scene-0103-1"))
    nusc = open_tables(tmp_path, "v1.0-mini")
    with pytest.raises(TablesError, match=r"sample\.json, token scene-0103-1: its successors lead back to it"):
        Recording(nusc, nusc.scene[0])
    with pytest.raises(TablesError, match=r"sample\.json, token scene-0103-1: its successors lead back to it"):
        track_results({"scene-0103-0": []}, nusc)
