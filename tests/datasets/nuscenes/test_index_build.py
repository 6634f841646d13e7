from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import EGO_SPEED, SPACING, write_tables

from bev.datasets.index_io import read_index
from bev.datasets.nuscenes import index_build
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.nuscenes.index_tables import TablesError, open_tables
from bev.errors import InputError
from bev.geometry import CalibrationError, pix_T_cam, project


def _entries(root: Path, **options: object) -> list[dict]:
    summaries = build_indexes(root, "v1.0-mini", **options)
    assert [summary.split for summary in summaries] == ["mini_val"]
    return read_index(root / "nuscenes_infos_mini_val.pkl")["data_list"]


def test_entries_in_scene_order_with_links(tmp_path: Path):
    entries = _entries(write_tables(tmp_path))
    assert [entry["token"] for entry in entries] == [f"scene-{s}-{i}" for s in ("0103", "0916") for i in range(3)]
    assert [entry["sample_idx"] for entry in entries] == list(range(6))
    assert [entry["prev"] for entry in entries[:4]] == ["", "scene-0103-0", "scene-0103-1", ""]
    assert [entry["next"] for entry in entries[:3]] == ["scene-0103-1", "scene-0103-2", ""]
    assert entries[4]["scene_token"] == "scene-0916"
    assert entries[1]["timestamp"] - entries[0]["timestamp"] == pytest.approx(SPACING)


def test_boxes_are_in_the_lidar_frame(tmp_path: Path):
    car = _entries(write_tables(tmp_path))[1]["instances"][0]
    # After half a second the car, 20 m ahead and 3 m to the left at first, has gone 3 m and the ego 2 m along x. The
    # LiDAR stands 1.8 m high, its y axis points forward and its x axis right.
    ahead = 20.0 + 6.0 * SPACING - EGO_SPEED * SPACING
    np.testing.assert_allclose(car["bbox_3d"], [-3.0, ahead, 0.8 - 1.8, 4.5, 1.9, 1.6, np.pi / 2], atol=1e-9)
    np.testing.assert_allclose(car["velocity"], [0.0, 6.0], atol=1e-9)
    assert car["attribute"] == "vehicle.moving"
    assert (car["num_lidar_pts"], car["num_radar_pts"], car["visibility"]) == (40, 2, 4)
    assert car["instance_token"] == "scene-0103-object0"
    assert car["annotation_token"] == "scene-0103-object0-1"


def test_lidar_to_camera_goes_through_the_global_frame(tmp_path: Path):
    entry = _entries(write_tables(tmp_path))[0]
    image = entry["images"]["CAM_FRONT"]
    # The camera fires 10 ms after the LiDAR, when the ego has gone 4 cm further.
    pixels, depths = project(
        pix_T_cam(image["cam2img"]) @ image["lidar2cam"], np.array(entry["instances"][0]["bbox_3d"])[None, :3]
    )
    assert depths[0] == pytest.approx(20.0 - 0.04)
    np.testing.assert_allclose(pixels[0], [800 - 800 * 3 / 19.96, 450 + 800 * (1.5 - 0.8) / 19.96], atol=1e-9)
    np.testing.assert_allclose(image["ego2global"][:3, 3], [0.04, 0, 0], atol=1e-12)


def test_what_is_not_known_is_said_so(tmp_path: Path):
    def leave_one_sample(tables: dict) -> None:
        for record in tables["sample_annotation"]:
            record["visibility_token"] = ""
            record["prev"] = record["next"] = ""

    entry = _entries(write_tables(tmp_path, edit=leave_one_sample))[0]
    assert np.isnan(entry["instances"][0]["velocity"]).all()
    assert entry["instances"][0]["visibility"] is None
    assert entry["instances"][3]["attribute"] == ""
    assert entry["lidar_points"]["lidar_path"] is None


def test_lidar_paths_where_files_are_there(tmp_path: Path):
    root = write_tables(tmp_path)
    path = root / "samples" / "LIDAR_TOP" / "scene-0103-0-LIDAR_TOP.pcd.bin"
    path.parent.mkdir(parents=True)
    path.touch()
    entries = _entries(root)
    assert entries[0]["lidar_points"]["lidar_path"] == "samples/LIDAR_TOP/scene-0103-0-LIDAR_TOP.pcd.bin"
    assert entries[1]["lidar_points"]["lidar_path"] is None


def test_workers_and_one_process_agree(tmp_path: Path):
    root = write_tables(tmp_path)
    _entries(root)
    alone = (root / "nuscenes_infos_mini_val.pkl").read_bytes()
    _entries(root, workers=2)
    assert (root / "nuscenes_infos_mini_val.pkl").read_bytes() == alone


def test_the_test_release_has_no_annotations(tmp_path: Path):
    root = write_tables(tmp_path, version="v1.0-test", scenes=("scene-0077",), annotated=False)
    (summary,) = build_indexes(root, "v1.0-test")
    assert summary.path == root / "nuscenes_infos_test.pkl"
    entry = read_index(summary.path)["data_list"][0]
    assert entry["instances"] == []
    assert entry["cam_instances"] == {"CAM_FRONT": [], "CAM_BACK": []}


def test_custom_splits_get_an_index_each(tmp_path: Path):
    root = write_tables(tmp_path / "data")
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"a": ["scene-0103"], "b": ["scene-0103", "scene-0916"]}), encoding="utf-8")
    summaries = build_indexes(root, "v1.0-mini", out=tmp_path / "out", splits_file=path)
    assert [(s.split, s.scenes, s.samples, s.boxes) for s in summaries] == [("a", 1, 3, 15), ("b", 2, 6, 30)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["nuscenes_infos_a.pkl", "nuscenes_infos_b.pkl"]


def test_scenes_of_no_split_are_an_error_that_tells_what_to_do(tmp_path: Path):
    with pytest.raises(TablesError, match="--splits FILE"):
        build_indexes(write_tables(tmp_path, version="v1.0-mine"), "v1.0-mine")


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_tables(tmp_path)
    build, done = index_build.scene_entries, []

    def stop_at_second(nusc: object, scene: dict) -> list[dict]:
        if done:
            raise KeyboardInterrupt
        done.append(scene["name"])
        return build(nusc, scene)

    monkeypatch.setattr(index_build, "scene_entries", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        build_indexes(root, "v1.0-mini")
    assert not list(root.glob("*.pkl"))
    resumed = []
    monkeypatch.setattr(index_build, "scene_entries", lambda n, s: (resumed.append(s["name"]), build(n, s))[1])
    assert len(_entries(root)) == 6
    assert (done, resumed) == (["scene-0103"], ["scene-0916"])
    assert not list(root.glob(".nuscenes_infos-*"))


def test_shards_of_other_tables_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_tables(tmp_path)
    monkeypatch.setattr(index_build.ShardFolder, "remove", lambda self: None)
    _entries(root)
    (stale,) = root.glob(".nuscenes_infos-*")
    shutil.rmtree(root / "v1.0-mini")
    write_tables(root, samples=4)
    assert len(_entries(root)) == 8
    assert not stale.exists()


def _spoil(table: str, token: str, key: str, value: object):
    def edit(tables: dict) -> None:
        next(record for record in tables[table] if record["token"] == token)[key] = value

    return edit


@pytest.mark.parametrize(
    ("table", "token", "key", "value", "error"),
    [
        ("calibrated_sensor", "calibration-CAM_BACK", "camera_intrinsic", [[float("nan")] * 3] * 3, CalibrationError),
        ("calibrated_sensor", "calibration-CAM_BACK", "camera_intrinsic", [[0, 0, 0]] * 3, CalibrationError),
        ("calibrated_sensor", "calibration-CAM_BACK", "camera_intrinsic", [], CalibrationError),
        ("calibrated_sensor", "calibration-CAM_BACK", "rotation", [0, 0, 0, 0], CalibrationError),
        ("ego_pose", "scene-0103-1-CAM_BACK", "translation", [float("nan"), 0, 0], CalibrationError),
        ("sample_annotation", "scene-0916-object0-0", "size", [1.9, float("nan"), 1.6], TablesError),
        ("sample_annotation", "scene-0916-object0-0", "rotation", [0, 0, 0, float("nan")], CalibrationError),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_impossible_numbers_name_table_and_token(tmp_path: Path, table, token, key, value, error, workers):
    root = write_tables(tmp_path, edit=_spoil(table, token, key, value))
    where = f"{table}.json, token {token}" + (r" \(CAM_BACK\)" if "CAM_BACK" in token else "")
    with pytest.raises(error, match=where):
        build_indexes(root, "v1.0-mini", workers=workers)
    assert not list(root.glob("*.pkl"))


def test_samples_without_lidar_rows_or_cameras_are_errors(tmp_path: Path):
    def drop(prefix: str):
        return lambda tables: tables.update(
            sample_data=[r for r in tables["sample_data"] if prefix not in r["calibrated_sensor_token"]]
        )

    with pytest.raises(TablesError, match="scene-0103-0 has no LIDAR_TOP row"):
        build_indexes(write_tables(tmp_path / "a", edit=drop("LIDAR")), "v1.0-mini")
    with pytest.raises(TablesError, match="scene-0103-0 has no camera row"):
        build_indexes(write_tables(tmp_path / "b", edit=drop("CAM")), "v1.0-mini")


def test_a_disk_that_fills_up_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_tables(tmp_path)
    path = root / "nuscenes_infos_mini_val.pkl"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        build_indexes(root, "v1.0-mini")
    assert path.read_bytes() == b"old"
    assert not list(root.rglob("*.tmp"))


def test_real_tables(shared_data: Path, tmp_path: Path):
    root = shared_data / "nuscenes-mini-val"
    (summary,) = build_indexes(root, "v1.0-mini", out=tmp_path)
    assert (summary.scenes, summary.samples, summary.boxes) == (2, 81, 4514)
    entries = read_index(summary.path)["data_list"]
    nusc = open_tables(root, "v1.0-mini")
    for entry in entries[::10]:
        _, boxes, _ = nusc.get_sample_data(nusc.get("sample", entry["token"])["data"]["LIDAR_TOP"])
        own = np.array([instance["bbox_3d"] for instance in entry["instances"]])
        np.testing.assert_allclose(own[:, :3], [box.center for box in boxes], atol=1e-6)
        np.testing.assert_allclose(own[:, [4, 3, 5]], [box.wlh for box in boxes], atol=1e-9)
        headings = np.array([box.orientation.rotation_matrix[:2, 0] for box in boxes])
        np.testing.assert_allclose(own[:, 6], np.arctan2(headings[:, 1], headings[:, 0]), atol=1e-6)


@pytest.mark.parametrize("kind", ["scene", "split"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, kind: str):
    scene, split = ("../../escaped", "a") if kind == "scene" else ("scene-0103", "x/../../escaped")
    root = write_tables(tmp_path / "data", scenes=(scene,))
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({split: [scene]}), encoding="utf-8")
    with pytest.raises(InputError, match=r"escaped' can't be part of a file's name"):
        build_indexes(root, "v1.0-mini", out=tmp_path / "out", splits_file=path)
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize(
    ("table", "token", "key", "value"),
    [
        ("ego_pose", "scene-0103-1-CAM_BACK", "rotation", "abcd"),
        ("ego_pose", "scene-0103-1-CAM_BACK", "translation", [10**400, 0, 0]),
        ("calibrated_sensor", "calibration-CAM_BACK", "camera_intrinsic", [[1, 0], [0, 1, 0], [0, 0, 1]]),
        ("sample", "scene-0103-1", "timestamp", "x"),
        ("sample", "scene-0103-1", "timestamp", float("nan")),
        ("sample", "scene-0103-1", "timestamp", 10**400),
        ("sample_data", "scene-0103-1-CAM_BACK", "timestamp", None),
        ("sample_data", "scene-0103-1-CAM_BACK", "filename", 5),
        ("sample_data", "scene-0103-1-LIDAR_TOP", "filename", 5),
        ("sample_data", "scene-0103-1-CAM_BACK", "width", "a"),
        ("sample_data", "scene-0103-1-CAM_BACK", "width", -5),
        ("sample_annotation", "scene-0916-object0-0", "size", "abc"),
        ("sample_annotation", "scene-0916-object0-0", "attribute_tokens", ["unknown"]),
        ("sample_annotation", "scene-0916-object0-0", "num_lidar_pts", "x"),
        ("sample_annotation", "scene-0916-object0-0", "visibility_token", 4),
        ("scene", "scene-0103", "first_sample_token", "unknown"),
    ],
)
def test_values_of_another_kind_name_table_and_token(tmp_path: Path, table, token, key, value):
    root = write_tables(tmp_path, edit=_spoil(table, token, key, value))
    with pytest.raises((TablesError, CalibrationError), match=f"{table}.json, token {token}"):
        build_indexes(root, "v1.0-mini")
    assert not list(root.glob("*.pkl"))


def test_samples_that_follow_each_other_in_a_circle_are_named(tmp_path: Path):
    root = write_tables(tmp_path, edit=_spoil("sample", "scene-0103-2", "next", "scene-0103-1"))
    with pytest.raises(TablesError, match=r"sample\.json, token scene-0103-1: its successors lead back to it"):
        build_indexes(root, "v1.0-mini")


def test_scenes_of_one_name_are_refused(tmp_path: Path):
    root = write_tables(tmp_path, edit=_spoil("scene", "scene-0916", "name", "scene-0103"))
    with pytest.raises(TablesError, match=r"scene\.json: several scenes are named scene-0103"):
        build_indexes(root, "v1.0-mini")
