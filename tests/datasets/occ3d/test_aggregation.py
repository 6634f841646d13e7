"""Points of a scene: which box they belong to, and the labels of unlabelled ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bev.datasets.occ3d import CLASSES, UNKNOWN, OccupancyLabelError
from bev.datasets.occ3d.aggregation import aggregate
from bev.datasets.occ3d.recording import Sweep, Track

CAR, ROAD, TERRAIN, MANMADE = (CLASSES.index(n) for n in ("car", "driveable_surface", "terrain", "manmade"))


class Drive(SimpleNamespace):
    """A recording of a still vehicle: `all_sweeps`, `key_frames`, `tracks`, and a map that is road where x > 0."""

    def sweeps(self):
        return iter(self.all_sweeps)

    def is_on_map(self, points):
        return points[:, 0] > 0


def sweep(time: float, points: list, labels: list | None) -> Sweep:
    known = None if labels is None else np.array(labels, dtype=np.uint8)
    return Sweep(time, np.array(points, dtype=np.float32).reshape(-1, 3), known, np.eye(4), np.array([0, 0, 1.8]))


def moving_car() -> Track:
    centres = np.array([[10.0, 0, 0.75], [20.0, 0, 0.75]])
    turns = Rotation.from_euler("z", [[0.0], [0.0]])
    return Track(CAR, np.array([4.0, 2.0, 1.5]), np.array([0.0, 1.0]), centres, turns)


def drive(*sweeps: Sweep, tracks: tuple[Track, ...] = ()) -> Drive:
    frames = [SimpleNamespace(time=one.time) for one in sweeps if one.labels is not None]
    return Drive(name="s", all_sweeps=sweeps, key_frames=frames, tracks=tracks)


def test_points_of_a_moving_car_meet_in_its_frame() -> None:
    before = sweep(0.0, [[8.0, 0.5, 0.5], [9, 0, -0.02], [30, 0, 0]], [CAR, ROAD, ROAD])
    between = sweep(0.5, [[13.0, 0.5, 0.5], [14, 0, 0.05], [30, 0, 0.01]], None)
    after = sweep(1.0, [[18.0, 0.5, 0.5], [40, 1, 1]], [CAR, CAR])
    cloud = aggregate(drive(before, between, after, tracks=(moving_car(),)))
    points, labels = cloud.objects[0]
    assert points == pytest.approx(np.tile([[-2.0, 0.5, -0.25]], (3, 1)), abs=1e-5)
    assert labels.tolist() == [CAR] * 3
    # The road below the car isn't the car's, and a car's point outside its box is nobody's.
    assert cloud.points[:, 0].tolist() == [9, 30, 14, 30]
    assert cloud.labels.tolist() == [ROAD] * 4
    assert [len(ends) for _, ends in cloud.rays] == [3, 3, 2]


def test_unlabelled_points_ask_their_neighbours_first() -> None:
    labelled = [[10.0, 5, 2], [10.05, 5, 2], [10.1, 5.1, 2.1], [-20, 5, 0]]
    key = sweep(0.0, labelled, [MANMADE, MANMADE, TERRAIN, TERRAIN])
    other = sweep(0.1, [[10.02, 5.02, 2.02], [11, 5, 2], [25, 5, 0], [25.2, 5, 3], [-40, 5, 0]], None)
    cloud = aggregate(drive(key, other))
    # The most frequent one of the cube; the nearest one; then map and height above the lowest point of the cell.
    assert cloud.labels[4:].tolist() == [MANMADE, TERRAIN, ROAD, MANMADE, TERRAIN]


def test_noise_ego_and_infinite_points_are_left_out() -> None:
    points = [[1.0, 0.0, 1.0], [np.nan, 0, 0], [10, 0, 0], [12, 0, 0]]
    cloud = aggregate(drive(sweep(0.0, points, [ROAD, ROAD, UNKNOWN, ROAD])))
    assert cloud.points.tolist() == [[12, 0, 0]]
    with pytest.raises(OccupancyLabelError, match="scene s"):
        aggregate(drive(sweep(0.0, [[1.0, 0, 1]], [ROAD])))


def test_sweeps_between_key_frames_are_chosen() -> None:
    sweeps = [sweep(0.1 * k, [[10 + k, 0, 0]], [ROAD] if k % 5 == 0 else None) for k in range(11)]
    used = [aggregate(drive(*sweeps), stride).points[:, 0].astype(int).tolist() for stride in (0, 2, 1)]
    assert used[0] == [10, 15, 20]
    assert used[1] == [10, 12, 14, 15, 17, 19, 20]
    assert used[2] == list(range(10, 21))
