from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Polygon

from bev.datasets.synthetic import Scene, build_scene
from bev.datasets.synthetic.population import EGO_CENTRE, EGO_SIZE
from bev.datasets.synthetic.road import Path, integrate
from bev.datasets.synthetic.traffic import Footprints, drive, overlap


def rectangle(centre: np.ndarray, yaw: float, length: float, width: float) -> Polygon:
    corners = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * [length / 2, width / 2]
    rotation = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    return Polygon(corners @ rotation.T + centre)


def test_overlap_agrees_with_polygons() -> None:
    rng = np.random.default_rng(1)
    count = 400
    gap, yaws = rng.uniform(-4, 4, (count, 2)), rng.uniform(-np.pi, np.pi, (2, count))
    halves = rng.uniform(0.2, 2.5, (2, count, 2))
    found = overlap(gap, yaws[0], halves[0], yaws[1], halves[1])
    expected = [
        rectangle(np.zeros(2), yaws[0, i], *(2 * halves[0, i])).intersects(
            rectangle(gap[i], yaws[1, i], *(2 * halves[1, i]))
        )
        for i in range(count)
    ]
    assert 0.1 < np.mean(expected) < 0.9
    assert found.tolist() == expected


def test_footprints_keep_distance_over_time() -> None:
    footprints = Footprints(3)
    passing = np.array([[0.0, 0.0], [5.0, 0.0], [10.0, 0.0]])
    footprints.add(passing, np.zeros(3), (4.0, 2.0))
    parked = np.repeat([[10.0, 0.0]], 3, axis=0)
    beside = np.repeat([[10.0, 3.0]], 3, axis=0)
    assert not footprints.is_free(parked, np.zeros(3), (4.0, 2.0))
    assert footprints.is_free(beside, np.zeros(3), (4.0, 2.0))
    assert not footprints.is_free(beside, np.zeros(3), (4.0, 2.0), beside=1.1)


def test_vehicles_stop_at_the_line_and_slow_down_in_bends() -> None:
    straight = Path(np.stack([np.arange(200.0), np.zeros(200)], axis=1))
    times = np.arange(0.0, 20.0, 0.1)
    travel = drive(straight, 10.0, 9.0, times, stop_at=60.0)
    assert travel[0] == 10.0
    assert travel[-1] == pytest.approx(60.0)
    assert (np.diff(travel) >= 0).all()
    assert np.abs(np.diff(travel[::5], 2) / 0.5**2).max() < 2.2

    bend = Path(integrate(np.zeros(2), 0.0, np.concatenate([np.zeros(60), np.full(20, 1 / 12), np.zeros(60)])))
    speed = np.diff(drive(bend, 0.0, 10.0, times)) / 0.1
    assert speed[0] == pytest.approx(10.0, rel=0.02)
    assert speed.min() == pytest.approx(np.sqrt(2.0 * 12), rel=0.05)


def test_nothing_overlaps_in_a_scene() -> None:
    scene = build_scene("busy", (11, 4), 8, (160, 90))
    assert len(scene.actors) > 30
    for frame in range(len(scene)):
        yaw = scene.ego_yaws[frame]
        centre = scene.ego_positions[frame] + EGO_CENTRE * np.array([np.cos(yaw), np.sin(yaw)])
        shapes = [rectangle(centre, yaw, *EGO_SIZE)]
        shapes += [rectangle(a.positions[frame], a.yaws[frame], a.size[0], a.size[1]) for a in scene.actors]
        for i, shape in enumerate(shapes):
            assert not any(shape.intersects(other) for other in shapes[:i]), f"object {i - 1} overlaps at frame {frame}"


def test_scenes_depend_on_their_seed_only(scene: Scene) -> None:
    again = build_scene("test", (7, 0), 2, (160, 90))
    other = build_scene("test", (7, 1), 2, (160, 90))
    assert [actor.category for actor in again.actors] == [actor.category for actor in scene.actors]
    assert np.array_equal(again.scenery.centre, scene.scenery.centre)
    assert not np.array_equal(other.ego_positions, scene.ego_positions)


def test_ego_and_moving_vehicles_stay_on_the_road() -> None:
    for number in range(3):
        scene = build_scene("roads", (2, number), 12, (160, 90))
        assert (scene.network.kerb_distance(scene.ego_positions) < 0).all()
        driving = [a for a in scene.actors if set(a.attributes) == {"vehicle.moving"}]
        assert all((scene.network.kerb_distance(a.positions) < 0).all() for a in driving)


def test_a_scene_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        build_scene("empty", (0,), 0, (160, 90))
