from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from nuscenes import NuScenes
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.utils.geometry_utils import BoxVisibility

import bev  # noqa: F401  (lets mmdet3d import)
from bev.datasets.collate import collate_clips
from bev.datasets.index_io import IndexFormatError, write_index
from bev.datasets.nuscenes.classes import CAMERAS, CLASSES, INDEX_CLASSES
from bev.datasets.nuscenes.dataset import NuScenesClipDataset
from bev.datasets.nuscenes.index_build import build_indexes
from bev.errors import InputError
from bev.geometry import CalibrationError, invert_pose, pose_matrix, project, rotation_z, transform_boxes

SCENES = {"a": 4, "b": 3}
HEIGHT, WIDTH = 36, 64
EGO_T_LIDAR = pose_matrix([0.7071067811865476, 0, 0, -0.7071067811865476], [0.9, 0.0, 1.8])
INTRINSIC = np.array([[50.0, 0, 31.0], [0, 50.0, 17.0], [0, 0, 1]])


def global_T_ego(time: float) -> np.ndarray:
    """A vehicle far from the origin of the map that drives a curve."""
    pose = rotation_z(0.1 * time)
    pose[:3, 3] = [1500.0 + 8 * time, 900.0 + 0.4 * time**2, 0.3]
    return pose


def ego_T_cam(n: int) -> np.ndarray:
    optical = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    pose = rotation_z(-np.pi / 3 * n)
    pose[:3, :3] = pose[:3, :3] @ optical
    pose[:3, 3] = [1.5, 0.1 * n, 1.6]
    return pose


def make_instance(name: str, points: int = 5, visibility: int | None = 4, x: float = 5.0) -> dict:
    return {
        "bbox_3d": [x, 9.0, -0.3, 4.0, 1.8, 1.5, 0.3],
        "bbox_label_3d": INDEX_CLASSES.index(name) if name in INDEX_CLASSES else -1,
        "velocity": [1.0, -2.0],
        "num_lidar_pts": points,
        "num_radar_pts": 0,
        "bbox_3d_isvalid": points > 0,
        "visibility": visibility,
    }


def make_record(scene: str, i: int) -> dict:
    time = 1000.0 * (ord(scene) - ord("a") + 1) + 0.5 * i
    images = {
        name: {
            "img_path": f"samples/{name}/{scene}{i}.jpg",
            "cam2img": INTRINSIC.copy(),
            "cam2ego": ego_T_cam(n),
            "ego2global": global_T_ego(time - 0.01 * n),
            "timestamp": time - 0.01 * n,
            "sample_data_token": f"{scene}{i}{name}",
            "height": HEIGHT,
            "width": WIDTH,
        }
        for n, name in enumerate(reversed(CAMERAS))
    }
    return {
        "sample_idx": i,
        "token": f"{scene}{i}",
        "scene_token": scene,
        "timestamp": time,
        "ego2global": global_T_ego(time),
        "lidar_points": {"lidar_path": "sweep.bin", "lidar2ego": EGO_T_LIDAR, "num_pts_feats": 5},
        "images": images,
        "instances": [make_instance("car"), make_instance("pedestrian", points=0), make_instance("animal")],
    }


@pytest.fixture
def records() -> list[dict]:
    """Two scenes, out of order in time."""
    made = [make_record(scene, i) for scene, length in SCENES.items() for i in range(length)]
    made[1], made[3] = made[3], made[1]
    return made


@pytest.fixture
def build(tmp_path: Path):
    """Writes records to an index and opens it."""

    def _build(records: list[dict], **arguments) -> NuScenesClipDataset:
        categories = {name: label for label, name in enumerate(INDEX_CLASSES)}
        metainfo = {"dataset": "nuscenes", "version": "v1.0-mini", "split": "val", "categories": categories}
        write_index(tmp_path / "index.pkl", metainfo, records)
        return NuScenesClipDataset(ann_file="index.pkl", data_root=str(tmp_path), **arguments)

    return _build


def tokens(clip: dict) -> list[str | None]:
    return [frame["token"] for frame in clip["frames"]]


def test_samples_are_sorted_inside_scenes(build, records):
    dataset = build(records)
    assert [clip["sample_token"] for clip in dataset] == ["a0", "a1", "a2", "a3", "b0", "b1", "b2"]


@pytest.mark.parametrize(
    ("offsets", "unit", "expected"),
    [
        ((-2, -1, 0), "samples", {"a0": [None, None, "a0"], "a3": ["a1", "a2", "a3"], "b0": [None, None, "b0"]}),
        ((-1, 0, 1), "samples", {"a3": ["a2", "a3", None], "b1": ["b0", "b1", "b2"]}),
        ((0, 2), "samples", {"a1": ["a1", "a3"], "a2": ["a2", None]}),
        ((-1.1, -0.4, 0), "seconds", {"a2": ["a0", "a1", "a2"], "b1": [None, "b0", "b1"], "b0": [None, None, "b0"]}),
    ],
)
def test_clips_stay_inside_their_scene(build, records, offsets, unit, expected):
    dataset = build(records, frame_offsets=offsets, offset_unit=unit, time_tolerance=0.2)
    clips = {clip["sample_token"]: clip for clip in dataset}
    for token, frames in expected.items():
        assert tokens(clips[token]) == frames
        assert [frame["valid"] for frame in clips[token]["frames"]] == [name is not None for name in frames]
        assert clips[token]["current"] == offsets.index(0)


def test_history_is_left_out_at_random_in_training(build, records):
    np.random.seed(0)
    dataset = build(records, frame_offsets=(-3, -2, -1, 0, 1), drop_history=1)
    clips = [dataset[3] for _ in range(40)]
    found = {tuple(tokens(clip)) for clip in clips}
    assert found == {("a1", "a2", "a3", None), ("a0", "a2", "a3", None), ("a0", "a1", "a3", None)}
    for clip in clips:
        assert clip["current"] == 2
        assert [frame["time"] for frame in clip["frames"]][2:] == [0.0, 0.0]
    whole = build(records, frame_offsets=(-3, -2, -1, 0, 1), drop_history=1, test_mode=True)[3]
    assert tokens(whole) == ["a0", "a1", "a2", "a3", None]
    assert whole["current"] == 3


def test_times_and_the_time_of_absent_frames(build, records):
    dataset = build(records, frame_offsets=(-2, -1, 0, 1))
    assert [frame["time"] for frame in dataset[1]["frames"]] == [-0.5, -0.5, 0.0, 0.5]
    assert [frame["time"] for frame in dataset[3]["frames"]] == [-1.0, -0.5, 0.0, 0.0]


def test_projections_go_through_the_global_frame_at_each_cameras_time(build, records):
    """A point fixed to the world is seen by every camera of every frame where its own pose says."""
    clip = build(records, frame_offsets=(-1, 0))[2]
    point = np.array([[12.0, 14.0, 0.5]])
    in_global = (clip["global_T_bev"] @ np.append(point, 1.0))[:3]
    by_token = {record["token"]: record for record in records}
    for frame in clip["frames"]:
        for name, camera in frame["cameras"].items():
            raw = by_token[frame["token"]]["images"][name]
            in_ego = invert_pose(raw["ego2global"]) @ np.append(in_global, 1.0)
            in_camera = (invert_pose(raw["cam2ego"]) @ in_ego)[:3]
            pixel, depth = project(camera["pix_T_bev"], point)
            np.testing.assert_allclose(depth[0], in_camera[2], atol=1e-9)
            if depth[0] > 0.5:
                np.testing.assert_allclose(pixel[0], (INTRINSIC @ in_camera)[:2] / in_camera[2], atol=1e-6)


def test_the_bev_frame(build, records):
    lidar, ego = build(records)[1], build(records, bev_frame="ego")[1]
    np.testing.assert_allclose(ego["global_T_bev"], global_T_ego(lidar["timestamp"]))
    np.testing.assert_allclose(lidar["global_T_bev"], ego["global_T_bev"] @ EGO_T_LIDAR)
    gravity = lidar["gt_boxes"].tensor.double().numpy()
    gravity[:, :3] = lidar["gt_boxes"].gravity_center.numpy()
    expected = transform_boxes(gravity, EGO_T_LIDAR)
    np.testing.assert_allclose(ego["gt_boxes"].gravity_center.numpy(), expected[:, :3], atol=1e-5)
    np.testing.assert_allclose(ego["gt_boxes"].tensor[:, 7:].numpy(), expected[:, 7:], atol=1e-5)
    # The same corners appear in the same pixels.
    for clip in (lidar, ego):
        corners = clip["gt_boxes"].corners[0].double().numpy()
        clip["pixels"], _ = project(clip["frames"][0]["cameras"]["CAM_FRONT"]["pix_T_bev"], corners)
    np.testing.assert_allclose(lidar["pixels"], ego["pixels"], rtol=1e-3, atol=1e-2)


def test_labels_follow_the_classes(build, records):
    records[0]["instances"] = [make_instance(name) for name in INDEX_CLASSES]
    assert build(records)[0]["gt_labels"].tolist() == [CLASSES.index(name) for name in INDEX_CLASSES]
    few = build(records, classes=("truck", "car"))
    assert few[0]["gt_labels"].tolist() == [1, 0]
    assert few.metainfo["classes"] == ("truck", "car")


def test_box_filters(build, records):
    records[0]["instances"] = [
        make_instance("car", points=points, visibility=visibility, x=float(i))
        for i, (points, visibility) in enumerate([(0, 4), (1, 1), (3, 2), (9, None)])
    ]
    for arguments, kept in [
        ({"min_points": 0}, [0, 1, 2, 3]),
        ({}, [1, 2, 3]),
        ({"min_points": 3}, [2, 3]),
        ({"min_visibility": 2}, [2, 3]),
        ({"min_visibility": 3}, [3]),
    ]:
        assert build(records, **arguments)[0]["gt_boxes"].tensor[:, 0].tolist() == kept


def test_a_box_that_only_radar_has_hit_is_ground_truth(build, records):
    records[0]["instances"] = [make_instance("car", points=0, x=1.0), make_instance("car", points=0, x=2.0)]
    records[0]["instances"][1]["num_radar_pts"] = 2
    assert build(records)[0]["gt_boxes"].tensor[:, 0].tolist() == [2.0]


def test_boxes_are_mmdet3ds_and_unknown_velocities_are_zero(build, records):
    records[0]["instances"][0]["velocity"] = [float("nan"), float("nan")]
    boxes = build(records)[0]["gt_boxes"]
    torch.testing.assert_close(boxes.gravity_center, torch.tensor([[5.0, 9.0, -0.3]]))
    torch.testing.assert_close(boxes.tensor[0, 3:], torch.tensor([4.0, 1.8, 1.5, 0.3, 0.0, 0.0]))


def test_a_split_without_annotations(build, records):
    for record in records:
        del record["instances"]
    clip = build(records, test_mode=True)[0]
    assert clip["gt_boxes"].tensor.shape == (0, 9)
    assert clip["gt_labels"].shape == (0,)


def test_cameras_have_fixed_slots(build, records):
    del records[0]["images"]["CAM_FRONT"]
    dataset = build(records)
    assert dataset[0]["camera_names"] == list(CAMERAS)
    assert "CAM_FRONT" not in dataset[0]["frames"][0]["cameras"]
    assert len(dataset[0]["frames"][0]["cameras"]) == 5
    chosen = build(records, cameras=("CAM_BACK", "CAM_FRONT"))
    assert chosen[1]["camera_names"] == ["CAM_BACK", "CAM_FRONT"]
    assert set(chosen[1]["frames"][0]["cameras"]) == {"CAM_BACK", "CAM_FRONT"}
    with pytest.raises(ValueError, match="CAM_TOP"):
        build(records, cameras=("CAM_TOP",))


def test_paths_start_from_the_data_root(build, records, tmp_path):
    records[0]["lidar_points"]["lidar_path"] = None
    dataset = build(records)
    camera = dataset[0]["frames"][0]["cameras"]["CAM_BACK"]
    assert camera["path"] == str(tmp_path / "samples/CAM_BACK/a0.jpg")
    assert camera["token"] == "a0CAM_BACK"
    assert dataset[0]["lidar_path"] is None
    assert dataset[1]["lidar_path"] == str(tmp_path / "sweep.bin")


def test_subsets_keep_the_whole_history(build, records):
    dataset = build(records, frame_offsets=(-1, 0), indices=[3])
    assert len(dataset) == 1
    assert tokens(dataset[0]) == ["a2", "a3"]


def test_items_do_not_share_memory_with_the_dataset(build, records):
    dataset = build(records)
    before = copy.deepcopy(dataset[0])
    spoiled = dataset[0]
    spoiled["gt_boxes"].tensor.zero_()
    spoiled["global_T_bev"][:] = 0
    spoiled["frames"][0]["cameras"]["CAM_FRONT"]["pix_T_bev"][:] = 0
    again = dataset[0]
    torch.testing.assert_close(again["gt_boxes"].tensor, before["gt_boxes"].tensor)
    np.testing.assert_array_equal(again["global_T_bev"], before["global_T_bev"])
    np.testing.assert_array_equal(
        again["frames"][0]["cameras"]["CAM_FRONT"]["pix_T_bev"],
        before["frames"][0]["cameras"]["CAM_FRONT"]["pix_T_bev"],
    )


def test_the_whole_way_to_a_batch(build, records, tmp_path):
    for record in records:
        for image in record["images"].values():
            path = tmp_path / image["img_path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    (tmp_path / "samples/CAM_BACK/a0.jpg").write_bytes(b"\xff\xd8\xff")
    pipeline = [{"type": "LoadMultiCameraImages"}, {"type": "PackClip"}]
    dataset = build(records, frame_offsets=(-1, 0), pipeline=pipeline, on_error="skip-frame")
    loader = torch.utils.data.DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=collate_clips)
    first = next(iter(loader))
    clip = first["inputs"]
    assert clip.images.shape == (2, 2, 6, 3, HEIGHT, WIDTH)
    assert clip.frame_mask.tolist() == [[False, True], [False, True]]
    assert not clip.camera_mask[0, 1, CAMERAS.index("CAM_BACK")]
    assert clip.camera_mask[0, 1].sum() == 5
    assert [sample.sample_token for sample in first["data_samples"]] == ["a0", "a1"]
    with pytest.raises(ValueError, match=r"a0\.jpg.*CAM_BACK.*sample a0"):
        build(records, pipeline=pipeline)[0]


def test_datasets_travel_to_spawned_workers(build, records):
    dataset = build(records, frame_offsets=(-1, 0))
    again = pickle.loads(pickle.dumps(dataset))
    assert tokens(again[2]) == tokens(dataset[2])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r["images"]["CAM_BACK"]["cam2img"].__setitem__((0, 0), np.nan), "sample a2, CAM_BACK.*intrinsic"),
        (lambda r: r["images"]["CAM_BACK"]["cam2img"].__setitem__((1, 1), 0.0), "sample a2, CAM_BACK.*singular"),
        (lambda r: r["images"]["CAM_FRONT"]["cam2ego"].__setitem__((0, 3), np.inf), "sample a2, CAM_FRONT, cam2ego"),
        (lambda r: r["images"]["CAM_FRONT"]["ego2global"].__imul__(2.0), "sample a2, CAM_FRONT, ego2global"),
        (lambda r: r["ego2global"].__setitem__((2, 2), np.nan), "sample a2, ego2global"),
    ],
)
def test_bad_calibration_is_named(build, records, spoil, message):
    spoil(records[2])
    with pytest.raises(CalibrationError, match=message):
        build(records)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frame_offsets": (-1,)}, "contain 0"),
        ({"frame_offsets": (-1, 0), "drop_history": 2}, "drop_history is 2, but clips have 1 history frames"),
        ({"frame_offsets": (0, -1)}, "increase"),
        ({"frame_offsets": (-0.5, 0)}, "whole numbers"),
        ({"offset_unit": "frames"}, "offset_unit"),
        ({"bev_frame": "camera"}, "bev_frame"),
        ({"on_error": "ignore"}, "on_error"),
        ({"classes": ("car", "tram")}, "tram"),
    ],
)
def test_bad_arguments(build, records, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(records, **arguments)


def test_an_index_without_scenes_serves_single_frames_only(build, records):
    for record in records:
        record["scene_token"] = None
    assert len(build(records)) == 7
    with pytest.raises(ValueError, match="no scene_token"):
        build(records, frame_offsets=(-1, 0))


def test_an_index_of_another_data_set_is_refused(records, tmp_path):
    write_index(tmp_path / "other.pkl", {"dataset": "openlane_v2", "categories": {}}, records)
    with pytest.raises(IndexFormatError, match="an index of 'openlane_v2'; NuScenesClipDataset reads those of"):
        NuScenesClipDataset("other.pkl", str(tmp_path))


def test_an_empty_index_is_refused(build):
    with pytest.raises(ValueError, match="no samples"):
        build([])


def test_real_projections_agree_with_the_devkit(shared_data, tmp_path):
    """Every ground-truth box of a real sample lies where nuscenes-devkit puts it in each camera."""
    root = shared_data / "nuscenes-mini-val"
    build_indexes(root, "v1.0-mini", out=tmp_path)
    dataset = NuScenesClipDataset(
        ann_file=str(tmp_path / "nuscenes_infos_mini_val.pkl"), data_root=str(root), min_points=0
    )
    devkit = NuScenes("v1.0-mini", str(root), verbose=False)
    clip = dataset[20]
    centres = clip["gt_boxes"].gravity_center.double().numpy()
    compared = 0
    for name, camera in clip["frames"][0]["cameras"].items():
        token = devkit.get("sample", clip["sample_token"])["data"][name]
        _, boxes, intrinsic = devkit.get_sample_data(token, BoxVisibility.ANY)
        pixels, depth = project(camera["pix_T_bev"], centres)
        for box in boxes:
            if category_to_detection_name(box.name) is None or box.center[2] < 1:
                continue
            expected = (intrinsic @ box.center)[:2] / box.center[2]
            nearest = np.abs(depth - box.center[2]).argmin()
            np.testing.assert_allclose(depth[nearest], box.center[2], atol=1e-3)
            np.testing.assert_allclose(pixels[nearest], expected, atol=0.1)
            compared += 1
    assert compared > 10


@pytest.mark.parametrize("labels", [{"occupancy": True}, {"lanes": "lanes.pkl"}])
def test_labels_of_the_ego_frame_are_not_given_in_another(labels: dict):
    with pytest.raises(InputError, match="in the ego frame: set bev_frame='ego'"):
        NuScenesClipDataset("index.pkl", **labels)


@pytest.mark.parametrize("value", [None, "x", -1, [], np.full((4, 4), np.nan), {}])
@pytest.mark.parametrize(
    "path",
    [
        ("token",), ("scene_token",), ("timestamp",), ("ego2global",), ("lidar_points",), ("lidar_points", "lidar2ego"),
        ("images",), ("images", "CAM_BACK"), ("images", "CAM_BACK", "cam2img"), ("images", "CAM_BACK", "img_path"),
        ("images", "CAM_BACK", "width"), ("instances",), ("instances", 0), ("instances", 0, "bbox_3d"),
        ("instances", 0, "bbox_label_3d"), ("instances", 0, "velocity"), ("instances", 0, "num_lidar_pts"),
        ("can_bus",),
    ],
)  # fmt: skip
def test_entries_of_another_kind_are_refused_or_harmless(build, records, path, value):
    entry = records[2]
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    try:
        dataset = build(records)
    except InputError as error:
        assert re.search(r"sample a2|token a2|entry 2|entries that don't go together", str(error)), error
    else:
        assert all(np.isfinite(dataset[row]["gt_boxes"].tensor).all() for row in range(len(dataset)))


@pytest.mark.parametrize(("place", "value"), [(0, np.nan), (2, 1e300), (3, 0.0), (5, -1.5), (6, np.inf)])
def test_boxes_that_would_stop_a_training_are_named(build, records, place, value):
    records[2]["instances"].insert(0, make_instance("animal"))
    records[2]["instances"][1]["bbox_3d"][place] = value
    with pytest.raises(InputError, match=r"sample a2, instance 1: \[.*\] is no box"):
        build(records, bev_frame="ego")
