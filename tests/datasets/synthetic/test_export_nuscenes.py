"""The generated data set as nuscenes-devkit sees it."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from nuscenes.eval.common.loaders import load_gt_of_sample_tokens
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud
from nuscenes.utils.geometry_utils import points_in_box
from nuscenes.utils.splits import get_scenes_of_split
from PIL import Image

from bev.datasets.synthetic import Observation, Scene, generate
from bev.datasets.synthetic.film import SUPERSAMPLING
from bev.datasets.synthetic.nuscenes_tables import visibility_token
from bev.datasets.synthetic.parts import BACKGROUND

matplotlib.use("Agg")

CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_FRONT_LEFT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT")


def test_tables_are_complete(nusc: NuScenes) -> None:
    assert [scene["name"] for scene in nusc.scene] == ["synthetic-train-0001", "synthetic-val-0001"]
    assert len(nusc.sample) == 6
    for sample in nusc.sample:
        assert set(sample["data"]) == {*CAMERAS, "LIDAR_TOP"}
        assert len(sample["anns"]) > 10
        for token in sample["data"].values():
            record = nusc.get("sample_data", token)
            assert record["timestamp"] == sample["timestamp"]
            if record["sensor_modality"] == "camera":
                assert Image.open(nusc.get_sample_data_path(token)).size == (record["width"], record["height"])
    for scene in nusc.scene:
        tokens = [scene["first_sample_token"]]
        while nusc.get("sample", tokens[-1])["next"]:
            tokens.append(nusc.get("sample", tokens[-1])["next"])
        assert len(tokens) == scene["nbr_samples"] == 3
        assert tokens[-1] == scene["last_sample_token"]


def test_tracks_are_chained_and_velocities_follow_from_them(nusc: NuScenes) -> None:
    moving = 0
    for instance in nusc.instance:
        token, count = instance["first_annotation_token"], 0
        while token:
            row = nusc.get("sample_annotation", token)
            assert row["instance_token"] == instance["token"]
            velocity = nusc.box_velocity(token)[:2]
            names = [nusc.get("attribute", name)["name"] for name in row["attribute_tokens"]]
            if names == ["vehicle.moving"] and np.linalg.norm(velocity) > 1.0:
                heading = 2 * np.arctan2(row["rotation"][3], row["rotation"][0])
                ahead = velocity @ [np.cos(heading), np.sin(heading)]
                assert ahead > 0.9 * np.linalg.norm(velocity)
                moving += 1
            if names in (["vehicle.parked"], ["pedestrian.standing"]) and np.isfinite(velocity).all():
                assert np.linalg.norm(velocity) < 0.5
            last, token, count = token, row["next"], count + 1
        assert (last, count) == (instance["last_annotation_token"], instance["nbr_annotations"])
    assert moving > 3


def test_point_counts_equal_the_devkits(nusc: NuScenes) -> None:
    counted = 0
    for sample in nusc.sample:
        path, boxes, _ = nusc.get_sample_data(sample["data"]["LIDAR_TOP"])
        points = LidarPointCloud.from_file(path).points[:3].astype(np.float64)
        for box in boxes:
            row = nusc.get("sample_annotation", box.token)
            assert points_in_box(box, points).sum() == row["num_lidar_pts"], row
            counted += row["num_lidar_pts"] > 0
    assert counted > 50


def test_the_devkit_reads_the_points_categories(nusc: NuScenes) -> None:
    names = {index: name for name, index in nusc.lidarseg_name2idx_mapping.items()}
    found = set()
    for sample in nusc.sample:
        path, boxes, _ = nusc.get_sample_data(sample["data"]["LIDAR_TOP"])
        points = LidarPointCloud.from_file(path).points[:3].astype(np.float64)
        labels = np.fromfile(
            Path(nusc.dataroot) / nusc.get("lidarseg", sample["data"]["LIDAR_TOP"])["filename"], dtype=np.uint8
        )
        assert len(labels) == points.shape[1]
        found |= {names[label] for label in np.unique(labels)}
        for box in boxes:
            inside = points_in_box(box, points)
            if inside.sum() > 20:
                assert (labels[inside] == nusc.lidarseg_name2idx_mapping[box.name]).mean() > 0.8
    assert {"flat.driveable_surface", "flat.sidewalk", "static.manmade", "static.vegetation", "vehicle.car"} <= found


def test_sweeps_lie_between_key_frames(tmp_path: Path) -> None:
    options = {"scenes": 1, "val_scenes": 0, "frames": 2, "workers": 1, "image_size": (32, 32), "progress": False}
    generate(tmp_path, **options, sweeps=3)
    tables = NuScenes("v1.0-trainval", str(tmp_path), verbose=False)
    row = tables.get("sample_data", tables.sample[0]["data"]["LIDAR_TOP"])
    chain = [row]
    while chain[-1]["next"]:
        chain.append(tables.get("sample_data", chain[-1]["next"]))
    assert [record["is_key_frame"] for record in chain] == [True, False, False, False, True]
    times = np.array([record["timestamp"] for record in chain])
    assert np.diff(times).tolist() == [125_000] * 4
    places = [tables.get("ego_pose", record["ego_pose_token"])["translation"] for record in chain]
    assert np.diff(places, axis=0) == pytest.approx(np.tile((np.array(places[4]) - places[0]) / 4, (4, 1)))
    assert tables.get("sample_data", chain[1]["token"])["sample_token"] == tables.sample[0]["token"]
    for record in chain:
        assert LidarPointCloud.from_file(tables.get_sample_data_path(record["token"])).points.shape[1] > 1000
    # With fewer scenes, labels of the others go, since the devkit counts the files.
    generate(tmp_path, **{**options, "val_scenes": 1})
    generate(tmp_path, **options)
    assert len(NuScenes("v1.0-trainval", str(tmp_path), verbose=False).lidarseg) == 2


def test_the_official_evaluation_reads_the_annotations(nusc: NuScenes) -> None:
    tokens = [sample["token"] for sample in nusc.sample]
    boxes = load_gt_of_sample_tokens(nusc, tokens, DetectionBox)
    assert len(boxes.all) == sum(
        category_to_detection_name(a["category_name"]) is not None for a in nusc.sample_annotation
    )


def test_custom_splits(nusc: NuScenes, dataset: Path) -> None:
    assert get_scenes_of_split("synthetic_train", nusc) == ["synthetic-train-0001"]
    assert get_scenes_of_split("synthetic_val", nusc) == ["synthetic-val-0001"]
    splits = json.loads((dataset / "v1.0-trainval" / "splits.json").read_text())
    assert splits["train"] == ["synthetic-train-0001"]
    assert splits["val"] == ["synthetic-val-0001"]


def test_the_devkit_draws_a_sample(nusc: NuScenes, tmp_path: Path) -> None:
    picture = tmp_path / "sample.png"
    nusc.render_sample(nusc.sample[0]["token"], out_path=str(picture), verbose=False)
    assert np.asarray(Image.open(picture).convert("L")).std() > 20


def test_ego_is_on_the_map(nusc: NuScenes) -> None:
    for sample in nusc.sample:
        pose = nusc.get("ego_pose", nusc.get("sample_data", sample["data"]["LIDAR_TOP"])["ego_pose_token"])
        log = nusc.get("log", nusc.get("scene", sample["scene_token"])["log_token"])
        mask = nusc.get("map", log["map_token"])["mask"]
        assert mask.is_on_mask(*pose["translation"][:2]).all()


@pytest.mark.parametrize(
    ("visible", "covered", "level"), [(0, 0, "1"), (39, 100, "1"), (40, 100, "2"), (79, 100, "3"), (80, 100, "4")]
)
def test_visibility_levels(visible: int, covered: int, level: str) -> None:
    assert visibility_token(visible, covered) == level


def test_pixels_of_an_object_lie_in_its_projected_box(scene: Scene, observations: list[Observation]) -> None:
    """The same as the devkit's projection: corners through pose and intrinsics bound the pixels."""
    checked = 0
    for camera in scene.rig.cameras:
        view = observations[0].views[camera.name]
        world_T_camera = scene.world_T_ego(0) @ camera.ego_T_camera
        for owner in np.unique(view.owners[view.owners != BACKGROUND]):
            actor = scene.actors[owner]
            signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
            yaw = actor.yaws[0]
            turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            corners = actor.centre(0) + (signs * np.array(actor.size) / 2) @ turn.T
            local = (corners - world_T_camera[:3, 3]) @ world_T_camera[:3, :3]
            if local[:, 2].min() < 0.5:
                continue
            pixels = local @ camera.intrinsic.T
            pixels = pixels[:, :2] / pixels[:, 2:]
            rows, columns = np.nonzero(view.owners == owner)
            seen = (np.stack([columns, rows], axis=1) + 0.5) / SUPERSAMPLING
            assert (seen >= pixels.min(axis=0) - 0.01).all() and (seen <= pixels.max(axis=0) + 0.01).all()
            if observations[0].visible[owner] == observations[0].covered[owner] > 400:
                spread = (seen.max(axis=0) - seen.min(axis=0)) / (pixels.max(axis=0) - pixels.min(axis=0))
                inside = (pixels.min(axis=0) > 0).all() and (pixels.max(axis=0) < [camera.width, camera.height]).all()
                assert not inside or (spread > 0.7).all()
            checked += 1
    assert checked > 10
