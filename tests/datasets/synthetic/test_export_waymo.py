"""Segments of the procedural world: real messages, true geometry, boxes where the cameras see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bev.datasets.synthetic import build_scene
from bev.datasets.synthetic.export_waymo import generate_waymo, segment_frames, waymo_class
from bev.datasets.synthetic.rolling import centre_after, ego_after, exposure_times
from bev.datasets.synthetic.scene import Scene
from bev.datasets.synthetic.waymo_rig import READOUT, draw_waymo_rig
from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.dataset import WaymoClipDataset
from bev.datasets.waymo.index_build import build_indexes, read_segments
from bev.geometry import project

WIDTH = 96
INDEX = "waymo_infos_training.pkl"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training segment of two frames."""
    root = generate_waymo(
        tmp_path_factory.mktemp("waymo"), scenes=1, val_scenes=0, frames=2, workers=1, width=WIDTH, progress=False
    )
    build_indexes(root)
    return root


@pytest.fixture(scope="module")
def scene() -> Scene:
    rig, _ = draw_waymo_rig(np.random.default_rng(0), WIDTH)
    return replace(build_scene("test", (7, 0), 3, (WIDTH, WIDTH)), rig=rig)


def test_the_real_geometry(root: Path) -> None:
    (segment,) = read_segments(root / INDEX)
    assert len(segment) == 2
    assert segment.camera_sizes.tolist() == [[64, 96]] * 3 + [[44, 96]] * 2
    yaws = np.degrees(np.arctan2(segment.vehicle_T_camera[:, 1, 0], segment.vehicle_T_camera[:, 0, 0]))
    np.testing.assert_allclose(yaws, [0, 45, -45, 90, -90], atol=6)
    np.testing.assert_allclose(segment.intrinsics[:, 0] * 1920 / WIDTH, 2050, rtol=0.06)
    np.testing.assert_array_equal(segment.intrinsics[:, 4:], 0)
    delays = segment.image_times - segment.timestamps[:, None] / 1e6
    assert (delays > 0.02).all()
    assert (delays < 0.08).all()
    assert (np.linalg.norm(np.diff(segment.image_global_T_vehicle[:, :, :3, 3], axis=1), axis=-1) > 0).any()


def test_objects_of_waymos_classes(root: Path) -> None:
    (segment,) = read_segments(root / INDEX)
    assert set(segment.types.tolist()) <= {1, 2, 4}
    assert (segment.top_points > 0).all()
    assert 0 < np.count_nonzero(segment.most_visible) < len(segment.types)  # there is no camera behind
    seen = segment.most_visible > 0
    shift = np.linalg.norm(segment.synced_centres - segment.centres, axis=1)[seen]
    speed = np.hypot(*segment.velocities[seen].T)
    assert (shift <= speed * (0.0724 + READOUT / 2) + 1e-4).all()
    assert (shift[speed > 3] > speed[speed > 3] * (0.0224 - READOUT / 2) - 1e-4).all()


def test_clips_train(root: Path) -> None:
    pipeline = [dict(type="LoadMultiCameraImages"), dict(type="UndistortImages"), dict(type="PackClip")]
    dataset = WaymoClipDataset(INDEX, str(root), frame_offsets=(-1, 0), pipeline=pipeline, test_mode=True)
    packed = dataset[1]
    assert packed["inputs"].images.shape == (2, 5, 3, 64, 96)
    assert packed["inputs"].images.float().std() > 20
    assert len(packed["data_samples"].gt_instances_3d.bboxes_3d) > 0


def test_synced_boxes_are_exposed_when_they_are_there(scene: Scene) -> None:
    """At the time found, the column of the object's centre is the one that is exposed."""
    _, rolling = draw_waymo_rig(np.random.default_rng(0), WIDTH)
    checked = 0
    for camera in rolling:
        for actor in range(len(scene.actors)):
            (time,) = exposure_times(scene, 1, camera, [actor])
            world_T_camera = ego_after(scene, 1, time) @ camera.camera.ego_T_camera
            pix_T_camera = np.eye(4)
            pix_T_camera[:3, :3] = camera.camera.intrinsic
            point = centre_after(scene, 1, actor, time)[None]
            pixel, depth = project(pix_T_camera @ np.linalg.inv(world_T_camera), point)
            if depth[0] > 2 and 0 < pixel[0, 0] < WIDTH:
                assert camera.time_of(pixel[0, 0]) == pytest.approx(time, abs=1e-6)
                assert abs(time - camera.delay) <= READOUT / 2
                checked += 1
    assert checked > 10


def test_the_world_at_the_time_of_a_frame_and_after(scene: Scene) -> None:
    np.testing.assert_allclose(ego_after(scene, 0, 0.0), scene.world_T_ego(0), atol=1e-12)
    halfway = (scene.ego_positions[0] + scene.ego_positions[1]) / 2
    np.testing.assert_allclose(ego_after(scene, 0, 0.25)[:2, 3], halfway, atol=1e-12)
    np.testing.assert_allclose(centre_after(scene, 0, 2, 0.0), scene.actors[2].centre(0), atol=1e-12)


def test_camera_messages(scene: Scene) -> None:
    rig, rolling = draw_waymo_rig(np.random.default_rng(0), WIDTH)
    frame = next(segment_frames(replace(scene, rig=rig), rolling, 1_000_000))
    assert [image.name for image in frame.images] == [1, 2, 3, 4, 5]
    for image, camera in zip(frame.images, rolling, strict=True):
        picture = cv2.imdecode(np.frombuffer(image.image, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (camera.camera.height, camera.camera.width, 3)
        assert image.camera_trigger_time < image.pose_timestamp < image.camera_readout_done_time
    assert frame.context.camera_calibrations[0].rolling_shutter_direction == 2
    names = {label.most_visible_camera_name for label in frame.laser_labels}
    assert names <= {"", *CAMERAS}


def test_classes(scene: Scene) -> None:
    actor = scene.actors[0]
    kinds = {
        ("vehicle.bus.rigid", ""): "vehicle",
        ("human.pedestrian.child", ""): "pedestrian",
        ("vehicle.bicycle", "cycle.with_rider"): "cyclist",
        ("vehicle.bicycle", "cycle.without_rider"): None,
        ("vehicle.motorcycle", "cycle.with_rider"): "vehicle",
        ("movable_object.barrier", ""): None,
    }
    for (category, attribute), kind in kinds.items():
        assert waymo_class(replace(actor, category=category, attributes=(attribute,)), 0) == kind


def test_finished_segments_are_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("bev.datasets.synthetic.export_waymo.build_scene", forbidden)
    arguments = {"scenes": 1, "val_scenes": 0, "frames": 2, "workers": 1, "width": WIDTH, "progress": False}
    generate_waymo(root, **arguments)
    with pytest.raises(AssertionError, match="made again"):
        generate_waymo(root, **arguments, seed=1)


def test_segments_that_are_no_longer_wanted_are_deleted(tmp_path: Path) -> None:
    options = {"frames": 1, "workers": 1, "width": 64, "progress": False}
    generate_waymo(tmp_path, scenes=2, val_scenes=1, **options)
    real = tmp_path / "training" / "segment-1005081002024129653_5313_150_5333_150_with_camera_labels.tfrecord"
    real.touch()
    generate_waymo(tmp_path, scenes=1, val_scenes=0, **options)
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    own = "synthetic-training-0001"
    assert left == [real.name, f"segment-{own}_with_camera_labels.tfrecord", f"{own}.json"]


def test_numbers_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        generate_waymo(tmp_path, scenes=0, val_scenes=0)
    with pytest.raises(ValueError, match="width must be 64 to 1920"):
        generate_waymo(tmp_path, width=10)
    with pytest.raises(ValueError, match="frames and workers"):
        generate_waymo(tmp_path, frames=0)
