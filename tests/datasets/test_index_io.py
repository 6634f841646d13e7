from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bev.datasets.index_io import (
    BOX_CONVENTION,
    SCHEMA_VERSION,
    IndexFormatError,
    of_entries,
    read_index,
    read_samples,
    write_index,
)
from bev.errors import InputError
from bev.geometry import check_pose, pose_matrix

RAN = []


class _Exploit:
    def __reduce__(self) -> tuple:
        return (RAN.append, ("ran",))


def _dump(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def test_round_trip_keeps_values_and_types(tmp_path: Path):
    entry = {
        "pose": np.eye(4),
        "label": np.int64(3),
        "valid": np.bool_(True),
        "names": np.array(["a", "b"]),
        "nested": OrderedDict(x=[1.5, None, (2, "three"), {4}, b"five"]),
    }
    write_index(tmp_path / "index.pkl", {"dataset": "nuscenes", "version": "v1.0-mini"}, [entry])
    index = read_index(tmp_path / "index.pkl")
    assert index["metainfo"] == {
        "dataset": "nuscenes",
        "version": "v1.0-mini",
        "schema_version": SCHEMA_VERSION,
        "box_convention": BOX_CONVENTION,
    }
    found = index["data_list"][0]
    np.testing.assert_array_equal(found["pose"], np.eye(4))
    np.testing.assert_array_equal(found["names"], ["a", "b"])
    assert found["label"] == 3
    assert found["valid"]
    assert found["nested"] == entry["nested"]


def test_code_in_a_pickle_does_not_run(tmp_path: Path):
    path = _dump(tmp_path / "index.pkl", {"metainfo": {}, "data_list": [_Exploit()]})
    with pytest.raises(IndexFormatError, match="plain values and numpy arrays only"):
        read_index(path)
    assert RAN == []


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "open", "__import__", "print"])
def test_builtins_that_act_are_refused(tmp_path: Path, name: str):
    path = tmp_path / "index.pkl"
    path.write_bytes(b"cbuiltins\n" + name.encode() + b"\n.")
    with pytest.raises(IndexFormatError, match=f"builtins.{name}"):
        read_index(path)


@pytest.mark.parametrize(
    ("metainfo", "reason"),
    [
        ({"schema_version": "bev-0", "box_convention": BOX_CONVENTION}, "schema is 'bev-0'"),
        ({"schema_version": SCHEMA_VERSION, "box_convention": "mmdet3d<1.0"}, "boxes follow 'mmdet3d<1.0'"),
        ({"schema_version": SCHEMA_VERSION}, "boxes follow None"),
        ({"dataset": "kitti"}, "dataset: 'kitti'"),
        ({}, "no schema version"),
    ],
)
def test_another_schema_is_refused_with_the_converters_name(tmp_path: Path, metainfo: dict, reason: str):
    path = _dump(tmp_path / "index.pkl", {"metainfo": metainfo, "data_list": []})
    with pytest.raises(IndexFormatError, match=rf"{reason}.*create_data\.py"):
        read_index(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"infos": [], "metadata": {"version": "v1.0-mini"}}, "key 'infos'"),
        ([1, 2], "not an index"),
        ({"metainfo": {}}, "not an index"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, content: object, reason: str):
    with pytest.raises(IndexFormatError, match=rf"{reason}.*create_data\.py"):
        read_index(_dump(tmp_path / "index.pkl", content))


def test_truncated_empty_and_missing_files(tmp_path: Path):
    path = _dump(tmp_path / "index.pkl", {"metainfo": {}, "data_list": list(range(1000))})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(IndexFormatError, match="not a readable index"):
        read_index(path)
    path.write_bytes(b"")
    with pytest.raises(IndexFormatError, match="not a readable index"):
        read_index(path)
    with pytest.raises(FileNotFoundError, match=r"create_data\.py"):
        read_index(tmp_path / "nothing.pkl")


def _mmdet3d_infos() -> dict:
    """One sample as mmdet3d 1.1 and later writes it."""
    cam2ego = pose_matrix([0.5, -0.5, 0.5, -0.5], [1.7, 0.0, 1.5])
    lidar2ego = pose_matrix([0.7, 0.0, 0.0, -0.7], [0.9, 0.0, 1.8])
    sample = {
        "sample_idx": 0,
        "token": "abc",
        "timestamp": 1.5,
        "ego2global": pose_matrix([0.9, 0.0, 0.0, 0.1], [100.0, 50.0, 0.0]).tolist(),
        "lidar_points": {"num_pts_feats": 5, "lidar_path": "x.pcd.bin", "lidar2ego": lidar2ego.tolist()},
        "images": {
            "CAM_FRONT": {
                "img_path": "x.jpg",
                "cam2img": [[1200.0, 0, 800], [0, 1200.0, 450], [0, 0, 1]],
                "cam2ego": cam2ego.tolist(),
                "lidar2cam": (np.linalg.inv(cam2ego) @ lidar2ego).astype(np.float32).tolist(),
                "sample_data_token": "def",
                "timestamp": 1.51,
            }
        },
        "instances": [
            {
                "bbox_3d": [1.0, 2, 3, 4, 2, 1.5, 0.1],
                "bbox_label_3d": 0,
                "velocity": [0.0, 0.0],
                "num_lidar_pts": np.int64(4),
                "num_radar_pts": 0,
                "bbox_3d_isvalid": np.bool_(True),
            }
        ],
    }
    metainfo = {"dataset": "nuscenes", "version": "v1.0-mini", "info_version": "1.1", "categories": {"car": 0}}
    return {"metainfo": metainfo, "data_list": [sample]}


def test_mmdet3d_infos_are_adopted(tmp_path: Path):
    # mmengine writes protocol 2.
    index = read_index(_dump(tmp_path / "infos.pkl", _mmdet3d_infos(), protocol=2))
    entry = index["data_list"][0]
    camera = entry["images"]["CAM_FRONT"]
    assert camera["img_path"] == "samples/CAM_FRONT/x.jpg"
    assert entry["lidar_points"]["lidar_path"] == "samples/LIDAR_TOP/x.pcd.bin"
    assert (camera["height"], camera["width"]) == (900, 1600)
    # The camera fires with the LiDAR here, so its ego pose is the sample's.
    check_pose(camera["ego2global"], "camera")
    np.testing.assert_allclose(camera["ego2global"], entry["ego2global"], atol=1e-4)
    assert (entry["scene_token"], entry["prev"], entry["next"]) == (None, None, None)
    assert entry["instances"][0]["attribute"] == ""
    assert index["metainfo"]["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("key", ["images", "ego2global", "token"])
def test_mmdet3d_infos_without_what_cameras_need_are_refused(tmp_path: Path, key: str):
    infos = _mmdet3d_infos()
    del infos["data_list"][0][key]
    with pytest.raises(IndexFormatError, match=rf"{key}.*create_data\.py"):
        read_index(_dump(tmp_path / "infos.pkl", infos))


def test_mmdet3d_infos_with_a_broken_calibration_name_the_camera(tmp_path: Path):
    infos = _mmdet3d_infos()
    infos["data_list"][0]["images"]["CAM_FRONT"]["cam2img"][0][0] = float("nan")
    with pytest.raises(IndexFormatError, match=r"sample abc, CAM_FRONT.*NaN"):
        read_index(_dump(tmp_path / "infos.pkl", infos))


def test_entries_that_are_no_samples_are_refused(tmp_path: Path):
    path = tmp_path / "index.pkl"
    for entries, reason in (
        ([], "the index has no samples"),
        ([{"token": "a", "timestamp": 1.0}, 2], "entry 1 is no sample, for it has no token, timestamp;"),
        (
            [{"name": "segment", "timestamp": 1.0}],
            "an index of 'waymo' whose entry 0 is no sample, for it has no token;",
        ),
    ):
        write_index(path, {"dataset": "waymo"}, entries)
        with pytest.raises(IndexFormatError, match=reason):
            read_samples(path, "timestamp")
    write_index(path, {"dataset": "nuscenes"}, [{"token": ["a"], "timestamp": 1.0}])
    with pytest.raises(IndexFormatError, match="entry 0 is no sample, for it has no token that is a text"):
        read_samples(path)
    write_index(path, {"dataset": "nuscenes"}, [{"token": "a", "timestamp": 1.0}])
    assert read_samples(path, "timestamp") == read_index(path)


def test_the_entry_that_is_wrong_is_named() -> None:
    def build(entries: Sequence[dict]) -> list[float]:
        return [float(entry["place"]) for entry in entries]

    good = {"token": "a", "place": 1}
    assert of_entries("x.pkl", [good], build) == [1.0]
    for bad, place in (({"token": "b", "place": []}, "token b"), ({"token": 5}, "entry 1"), (None, "entry 1")):
        with pytest.raises(IndexFormatError, match=rf"x\.pkl, {place}: not what belongs there \(\w+Error: "):
            of_entries("x.pkl", [good, bad, good], build)
    with pytest.raises(IndexFormatError, match=r"x\.pkl, entries that don't go together: .*OverflowError: 3"):
        of_entries("x.pkl", [good] * 3, fail_on_several)
    with pytest.raises(InputError, match=r"^other$"):
        of_entries("x.pkl", [good], complain)


def fail_on_several(entries: Sequence[dict]) -> None:
    if len(entries) > 1:
        raise OverflowError(len(entries))


def complain(entries: Sequence[dict]) -> None:
    raise InputError("other")
