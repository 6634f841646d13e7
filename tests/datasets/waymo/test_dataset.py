from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
from tiny_waymo import CAMERA_DELAY, OBJECTS, SCALE, START, ego_pose, vehicle_T_camera, write_release

import bev  # noqa: F401  (lets mmdet3d import)
from bev.datasets.collate import collate_clips
from bev.datasets.image_files import ImageReadError
from bev.datasets.index_io import IndexFormatError, read_index, write_index
from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.dataset import WaymoClipDataset
from bev.datasets.waymo.index_build import build_indexes
from bev.datasets.waymo.messages import parse
from bev.datasets.waymo.segment import Segment
from bev.datasets.waymo.tfrecord import RecordFile
from bev.geometry import project
from bev.visualization.boxes import box_corners

PIPELINE = [dict(type="LoadMultiCameraImages"), dict(type="UndistortImages"), dict(type="PackClip")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_release(tmp_path, {"training": ("a", "b")}, frames=4)
    build_indexes(root)
    return root


def dataset_of(root: Path, **options) -> WaymoClipDataset:
    arguments = {"ann_file": "waymo_infos_training.pkl", "data_root": str(root), "test_mode": True, **options}
    return WaymoClipDataset(**arguments)


def test_samples_and_frames(root: Path) -> None:
    dataset = dataset_of(root, interval=2, frame_offsets=(-1, 0))
    assert len(dataset) == 4
    assert dataset.metainfo["dataset"] == "waymo"
    assert dataset.metainfo["classes"] == ("vehicle", "pedestrian", "cyclist")
    tokens = [dataset.get_data_info(number)["sample_token"] for number in range(4)]
    assert tokens == [f"{name}_{START + 100_000 * t}" for name in "ab" for t in (0, 2)]
    first, later = dataset.get_data_info(2), dataset.get_data_info(1)
    assert [frame["valid"] for frame in first["frames"]] == [False, True]  # never from another segment
    assert later["frames"][0]["token"] == f"a_{START + 100_000}"  # frames that are no samples are history
    assert later["frames"][0]["time"] == pytest.approx(-0.1, abs=1e-6)
    assert (dataset.scene_of(1), dataset.scene_of(2)) == ("a", "b")
    assert first["camera_names"] == list(CAMERAS)


def test_offsets_in_seconds(root: Path) -> None:
    clip = dataset_of(root, frame_offsets=(-0.2, 0), offset_unit="seconds").get_data_info(3)
    assert clip["frames"][0]["token"] == f"a_{START + 100_000}"


def test_camera_synced_boxes_of_what_cameras_see(root: Path) -> None:
    clip = dataset_of(root).get_data_info(0)
    kept = OBJECTS[:3]  # not the sign, not the car behind
    assert clip["gt_labels"].tolist() == [0, 1, 2]
    boxes = np.concatenate([clip["gt_boxes"].gravity_center.numpy(), clip["gt_boxes"].tensor[:, 3:].numpy()], axis=1)
    for box, (*_, position, size, heading, velocity) in zip(boxes, kept, strict=True):
        synced = np.array(position) + 0.05 * np.array([*velocity, 0.0])
        np.testing.assert_allclose(box, [*synced, *size, heading, *velocity], rtol=1e-5, atol=1e-5)
    assert clip["gt_fields"]["num_points"].tolist() == [50, 4, 20]
    np.testing.assert_allclose(clip["gt_fields"]["speeds"], [8.0, 1.0, np.sqrt(8)], rtol=1e-6)


def test_lidar_boxes_and_other_filters(root: Path) -> None:
    def labels(**options) -> list[int]:
        return dataset_of(root, **options).get_data_info(0)["gt_labels"].tolist()

    lidar = dataset_of(root, camera_synced=False, only_visible=False).get_data_info(0)
    np.testing.assert_allclose(lidar["gt_boxes"].gravity_center[0], OBJECTS[0][5], rtol=1e-6)
    assert lidar["gt_labels"].tolist() == [0, 1, 2, 0]
    assert labels(camera_synced=False) == [0, 1, 2]
    assert labels(min_lidar_points=5) == [0, 2]  # the walker has 5 points, but 4 of the top LiDAR
    assert labels(min_lidar_points=5, camera_synced=False) == [0, 1, 2]
    assert labels(classes=("car", "bicycle"), class_mapping={"vehicle": "car", "cyclist": "bicycle"}) == [0, 1]
    assert labels(classes=("sign",)) == [0]


def test_old_releases_lack_what_the_challenge_needs(tmp_path: Path) -> None:
    def forget(frame) -> None:
        for label in frame.laser_labels:
            label.ClearField("most_visible_camera_name")

    build_indexes(write_release(tmp_path, {"training": ("a",)}, frames=1, edit=forget))
    with pytest.raises(ValueError, match=r"release 1\.3\.2 or later, or set camera_synced=False"):
        dataset_of(tmp_path)
    assert len(dataset_of(tmp_path, camera_synced=False, only_visible=False).get_data_info(0)["gt_labels"]) == 4


def test_projections_by_hand(root: Path) -> None:
    """A static point, seen from where the vehicle was when the image was taken, by a camera that looks along x."""
    clip = dataset_of(root, frame_offsets=(-1, 0)).get_data_info(1)
    point = np.array([12.0, 3.0, 1.0])  # in the vehicle's frame at the sample's time
    for frame, now in zip(clip["frames"], (0.0, 0.1), strict=True):
        for number, name in enumerate(CAMERAS):
            camera = frame["cameras"][name]
            moved = ego_pose(0.1)[:3, :3] @ point + ego_pose(0.1)[:3, 3]
            taken = ego_pose(now + CAMERA_DELAY[number])
            in_vehicle = taken[:3, :3].T @ (moved - taken[:3, 3])
            pose = vehicle_T_camera((0.0, 45.0, -45.0, 90.0, -90.0)[number])
            x, y, z = pose[:3, :3].T @ (in_vehicle - pose[:3, 3])
            centre = 192 / 2 - 1, 64.0 if number < 3 else 25.0
            pixel, depth = project(camera["pix_T_bev"], point[None])
            assert depth[0] == pytest.approx(x, abs=1e-6)
            if x > 0:
                np.testing.assert_allclose(pixel[0], [centre[0] - 205 * y / x, centre[1] - 205 * z / x], atol=1e-5)


def test_clips_of_different_image_sizes(root: Path) -> None:
    dataset = dataset_of(root, pipeline=PIPELINE, frame_offsets=(-1, 0))
    batch = collate_clips([dataset[0], pickle.loads(pickle.dumps(dataset))[1]])
    clip, sample = batch["inputs"], batch["data_samples"][1]
    assert clip.images.shape == (2, 2, 5, 3, round(1280 * SCALE), round(1920 * SCALE))
    assert clip.image_sizes[1, 1].tolist() == [[128, 192]] * 3 + [[89, 192]] * 2
    assert clip.camera_mask.tolist() == [[[False] * 5, [True] * 5], [[True] * 5] * 2]
    assert (clip.images[1, 1, 3, :, 89:] == 0).all()
    assert sample.dataset == "waymo"
    assert sample.camera_names == list(CAMERAS)


def test_a_choice_of_cameras(root: Path) -> None:
    dataset = dataset_of(root, pipeline=PIPELINE, cameras=("SIDE_LEFT", "FRONT"))
    assert dataset[0]["inputs"].image_sizes[0].tolist() == [[89, 192], [128, 192]]
    with pytest.raises(ValueError, match="no image of camera REAR"):
        dataset_of(root, cameras=("REAR",))


def test_damaged_images(root: Path) -> None:
    """One bit of an image of the second frame: an error that names file and byte, or a frame left out."""
    camera = dataset_of(root).get_data_info(1)["frames"][0]["cameras"]["FRONT_LEFT"]
    path = Path(camera["path"])
    content = bytearray(path.read_bytes())
    content[camera["part"].offset + camera["part"].length // 2] ^= 1
    path.write_bytes(content)
    strict = dataset_of(root, pipeline=PIPELINE, frame_offsets=(-1, 0))
    with pytest.raises(ImageReadError, match=f"{path}, image at byte {camera['part'].offset}: .*checksum"):
        strict[2]
    lenient = dataset_of(root, pipeline=PIPELINE, frame_offsets=(-1, 0), on_error="skip-frame")
    assert lenient[2]["inputs"].camera_mask.tolist() == [[False] * 5, [True] * 5]
    assert lenient[1]["inputs"].camera_mask[1].tolist() == [True, False, True, True, True]
    path.write_bytes(content[:3000])
    with pytest.raises(ImageReadError, match="image at byte"):
        strict[3]


def test_from_an_object_store(root: Path) -> None:
    fsspec.filesystem("memory").put(str(root / "training"), "/store/training", recursive=True)
    index = str(root / "waymo_infos_training.pkl")
    remote = dataset_of(root, ann_file=index, data_root="memory://store", pipeline=PIPELINE)
    local = dataset_of(root, pipeline=PIPELINE)
    assert (remote[3]["inputs"].images == local[3]["inputs"].images).all()


def test_from_a_file_url(root: Path, tmp_path: Path) -> None:
    """The same way as an object store, from the files to the samples."""
    build_indexes(f"file://{root}", tmp_path / "indexes")
    index = str(tmp_path / "indexes" / "waymo_infos_training.pkl")
    remote = dataset_of(root, ann_file=index, data_root=f"file://{root}", pipeline=PIPELINE)
    local = dataset_of(root, pipeline=PIPELINE)
    assert (remote[5]["inputs"].images == local[5]["inputs"].images).all()


def test_an_index_of_an_earlier_version(root: Path) -> None:
    index = read_index(root / "waymo_infos_training.pkl")
    entry = index["data_list"][0]
    with np.load(io.BytesIO(entry["arrays"])) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "image_rows"}
    packed = io.BytesIO()
    np.savez(packed, **kept)
    write_index(root / "old.pkl", index["metainfo"], [entry | {"arrays": packed.getvalue()}])
    with pytest.raises(IndexFormatError, match="segment a: the index lacks image_rows; build it again with"):
        dataset_of(root, ann_file="old.pkl")


def test_wrong_arguments(root: Path) -> None:
    with pytest.raises(ValueError, match="interval must be at least 1"):
        dataset_of(root, interval=0)
    with pytest.raises(ValueError, match="no class truck"):
        dataset_of(root, class_mapping={"truck": "car"})


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> WaymoClipDataset:
    """The real frame, which is of a release without most visible cameras."""
    out = tmp_path_factory.mktemp("waymo")
    build_indexes(shared_data / "waymo", out)
    return WaymoClipDataset(
        str(out / "waymo_infos_all.pkl"),
        str(shared_data / "waymo"),
        pipeline=PIPELINE[:2],
        test_mode=True,
        camera_synced=False,
        only_visible=False,
        classes=("vehicle", "pedestrian", "cyclist", "sign"),
    )


def test_real_boxes_are_projected_as_by_waymo(real: WaymoClipDataset, shared_data: Path, tmp_path: Path) -> None:
    """The frame holds rectangles around the projected boxes: 0.25 pixels of 1920 at most beside ours."""
    record = RecordFile(shared_data / "waymo" / "one_frame.tfrecord", tmp_path).read(0)
    frame = parse("Frame", record)
    cameras = real.get_data_info(0)["frames"][0]["cameras"]
    labels = {label.id: label.box for label in frame.laser_labels}
    compared = 0
    for part in frame.projected_lidar_labels:
        camera = cameras[CAMERAS[part.name - 1]]
        for label in part.labels:
            box = labels[label.id.removesuffix(f"_{CAMERAS[part.name - 1]}")]
            row = [box.center_x, box.center_y, box.center_z, box.length, box.width, box.height, box.heading]
            pixels, depth = project(camera["pix_T_bev"], box_corners(np.array([row]))[0])
            inside = (pixels > 5).all() and (pixels < np.array([camera["width"], camera["height"]]) - 5).all()
            if depth.min() < 1 or not inside:
                continue  # Waymo clips rectangles to the image
            shown = camera["lens"].distort(pixels)
            half = np.array([label.box.length, label.box.width]) / 2
            centre = np.array([label.box.center_x, label.box.center_y])
            np.testing.assert_allclose(shown.min(axis=0), centre - half, atol=0.25)
            np.testing.assert_allclose(shown.max(axis=0), centre + half, atol=0.25)
            compared += 1
    assert compared == 43


def test_real_images_decode(real: WaymoClipDataset) -> None:
    cameras = real[0]["frames"][0]["cameras"]
    assert {name: camera["image"].shape[:2] for name, camera in cameras.items()} == {
        "FRONT": (1280, 1920), "FRONT_LEFT": (1280, 1920), "FRONT_RIGHT": (1280, 1920),
        "SIDE_LEFT": (886, 1920), "SIDE_RIGHT": (886, 1920),
    }  # fmt: skip
    assert all(cv2.cvtColor(camera["image"], cv2.COLOR_BGR2GRAY).std() > 30 for camera in cameras.values())


def test_segments_of_another_kind_are_named(root: Path) -> None:
    path = root / "waymo_infos_training.pkl"
    index = read_index(path)
    good = Segment.from_entry(index["data_list"][0])
    odd = replace(good, intrinsics=good.intrinsics[:, :3])
    for entry in (None, odd.to_entry()):
        write_index(path, index["metainfo"], [good.to_entry(), entry])
        with pytest.raises(IndexFormatError, match=r"training\.pkl, entry 1: not what belongs there"):
            dataset_of(root)
