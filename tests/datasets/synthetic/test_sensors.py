"""Pictures and points against geometry: every ray that shows an object ends inside the box of that object."""

from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.synthetic import Observation, Scene
from bev.datasets.synthetic.film import SUPERSAMPLING
from bev.datasets.synthetic.lidar import AZIMUTHS, BEAMS
from bev.datasets.synthetic.parts import BACKGROUND, Parts
from bev.datasets.synthetic.render import CameraRenderer, Moment, moment
from bev.datasets.synthetic.shadows import static_shadows

FRAME = 1


def in_box(scene: Scene, owner: int, frame: int, points: np.ndarray, slack: float) -> np.ndarray:
    actor = scene.actors[owner]
    away = points - actor.centre(frame)
    cosine, sine = np.cos(actor.yaws[frame]), np.sin(actor.yaws[frame])
    local = np.stack([cosine * away[:, 0] + sine * away[:, 1], cosine * away[:, 1] - sine * away[:, 0], away[:, 2]], 1)
    return (np.abs(local) <= np.array(actor.size) / 2 + slack).all(axis=1)


def test_rays_that_show_an_object_end_in_its_box(scene: Scene, observations: list[Observation]) -> None:
    checked = 0
    for camera in scene.rig.cameras:
        view = observations[FRAME].views[camera.name]
        pose = scene.world_T_ego(FRAME) @ camera.ego_T_camera
        points = camera.directions(SUPERSAMPLING) * view.depth[..., None]
        for owner in np.unique(view.owners[view.owners != BACKGROUND]):
            seen = points[view.owners == owner].astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
            assert in_box(scene, owner, FRAME, seen, 2e-3).all(), f"{camera.name}, object {owner}"
            checked += len(seen)
    assert checked > 1000


def test_visibility_is_the_share_of_an_object_that_nothing_hides(scene: Scene, observations: list[Observation]) -> None:
    now = moment(scene, FRAME)
    seen = observations[FRAME]
    hidden = [
        k for k in range(len(scene.actors)) if 0 < seen.visible[k] < 0.7 * seen.covered[k] and seen.covered[k] > 60
    ]
    free = [k for k in range(len(scene.actors)) if seen.visible[k] == seen.covered[k] > 60]
    assert hidden and free
    for owner in [*hidden[:2], *free[:2]]:
        own = scene.actors[owner].parts(FRAME)
        shade = static_shadows(scene.network.extent, own, scene.weather.light.sun).around(np.zeros(2), own)
        alone = Moment(now.world_T_ego, own, np.zeros(0, int), np.ones(len(own), np.float32), shade)
        count = 0
        for camera in scene.rig.cameras:
            view = CameraRenderer(scene, camera).render(alone, np.random.default_rng(0))
            count += int(view.visible[owner])
        assert count == seen.covered[owner]
    assert (seen.visible <= seen.covered).all()


def test_pictures_show_texture_and_no_two_cameras_see_the_same(observations: list[Observation]) -> None:
    pictures = [view.picture for view in observations[FRAME].views.values()]
    assert all(picture.std() > 15 for picture in pictures)
    assert all(not np.array_equal(a, b) for i, a in enumerate(pictures) for b in pictures[:i])


def test_lidar_points_lie_on_what_they_are_labelled(scene: Scene, observations: list[Observation]) -> None:
    sweep = observations[FRAME].sweep
    pose = scene.world_T_ego(FRAME) @ scene.rig.ego_T_lidar
    points = sweep.points[:, :3].astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
    counts = observations[FRAME].lidar_points
    for owner in np.unique(sweep.owners[sweep.owners != BACKGROUND]):
        labelled = points[sweep.owners == owner]
        assert in_box(scene, owner, FRAME, labelled, 0.0).all()
        assert counts[owner] == len(labelled)
    assert points[:, 2].min() == pytest.approx(0.0, abs=1e-3)
    assert counts.sum() > 200


def test_lidar_looks_like_a_nuscenes_sweep(observations: list[Observation]) -> None:
    points = observations[FRAME].sweep.points
    assert points.dtype == np.float32 and points.shape[1] == 5
    assert 0.5 * BEAMS * AZIMUTHS < len(points) <= BEAMS * AZIMUTHS
    assert set(np.unique(points[:, 4])) <= set(range(BEAMS))
    elevation = np.rad2deg(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    assert elevation.min() == pytest.approx(-30.67, abs=0.1)
    assert (points[:, 3] >= 0).all() and (points[:, 3] <= 255).all()


def test_cameras_look_where_their_names_say(scene: Scene) -> None:
    expected = {"CAM_FRONT": 0, "CAM_FRONT_LEFT": 55, "CAM_BACK_LEFT": 110, "CAM_BACK": 180, "CAM_BACK_RIGHT": -110}
    for camera in scene.rig.cameras:
        if camera.name in expected:
            forward = camera.ego_T_camera[:3, 2]
            yaw = np.rad2deg(np.arctan2(forward[1], forward[0]))
            assert abs((yaw - expected[camera.name] + 180) % 360 - 180) < 6
        assert camera.ego_T_camera[2, 1] < -0.99  # the image's y axis points down
    assert scene.rig.ego_T_lidar[0, 1] == pytest.approx(1.0, abs=0.01)  # the LiDAR's y axis points forward


def test_parts_of_nothing() -> None:
    assert len(Parts.concatenate([])) == 0
