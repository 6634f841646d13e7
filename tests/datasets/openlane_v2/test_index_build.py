from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tiny_openlane import CAMERAS, RELATIONS, SIZE, SIZES, lanes, write_collections, write_openlane

from bev.datasets.index_io import read_index, read_plain_pickle
from bev.datasets.openlane_v2 import index_build, sources
from bev.datasets.openlane_v2.annotations import AnnotationError
from bev.datasets.openlane_v2.index_build import MissingImagesError, build_indexes
from bev.errors import InputError
from bev.geometry.errors import CalibrationError


def records_of(root: Path, subset: str = "A", split: str = "train", **options) -> list[dict]:
    build_indexes(root, subset, **options)
    layout = options.get("layout", "centerline")
    return read_index(root / index_build.index_name(subset, split, layout))["data_list"]


@pytest.mark.parametrize("subset", ["A", "B"])
def test_both_subsets(tmp_path: Path, subset: str) -> None:
    summaries = build_indexes(write_openlane(tmp_path, subset), subset, workers=2)
    assert [(s.split, s.segments, s.frames, s.lanes, s.traffic_elements) for s in summaries] == [
        ("train", 2, 5, 15, 10),
        ("val", 1, 2, 6, 4),
    ]
    index = read_index(summaries[0].path)
    assert index["metainfo"]["dataset"] == "openlane_v2" and index["metainfo"]["schema_version"]
    record = index["data_list"][1]
    assert list(record["images"]) == list(CAMERAS[subset])
    for name, image in record["images"].items():
        assert (image["height"], image["width"]) == SIZES.get(name, SIZE)
        assert not Path(image["img_path"]).is_absolute() and (tmp_path / image["img_path"]).is_file()
    assert record["token"].split("/")[:2] == ["train", "00000"] and record["scene_token"] == "train/00000"
    assert record["timestamp"] - index["data_list"][0]["timestamp"] == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_array_equal(record["ego2global"][:3, 3], [100, 52, 2])


def test_camera_frames_are_optical(tmp_path: Path) -> None:
    """A point ahead of the front camera lands in the middle of its image, one to its left in the left half."""
    record = records_of(write_openlane(tmp_path))[0]
    camera = record["images"]["ring_front_center"]
    cam_T_ego = np.linalg.inv(camera["cam2ego"])
    for point, expected in (([11.5, 0, 1.5, 1], (32, 48)), ([11.5, 2, 2.5, 1], (22, 43))):
        pixel = camera["cam2img"] @ (cam_T_ego @ point)[:3]
        np.testing.assert_allclose(pixel[:2] / pixel[2], expected, atol=1e-9)


def test_centrelines_keep_the_metrics_points(tmp_path: Path) -> None:
    topology = records_of(write_openlane(tmp_path))[1]["lane_topology"]
    for found, written in zip(topology["lanes"], lanes(1), strict=True):
        np.testing.assert_array_equal(found[::2], written[::20].astype(np.float32))
    np.testing.assert_array_equal(topology["topology_lclc"], RELATIONS[0])
    np.testing.assert_array_equal(topology["topology_lcte"], RELATIONS[1])
    np.testing.assert_array_equal(topology["traffic_boxes"], [[10.5, 20, 16.5, 32], [40, 24, 48, 33]])
    assert topology["traffic_attributes"].tolist() == [1, 5] and topology["traffic_categories"].tolist() == [1, 2]
    assert topology["lane_ids"].tolist() == [10, 11, 12]


def test_lane_segments(tmp_path: Path) -> None:
    topology = records_of(write_openlane(tmp_path), layout="segment")[0]["lane_topology"]
    assert topology["lanes"].shape == topology["left_lines"].shape == topology["right_lines"].shape == (3, 10, 3)
    np.testing.assert_allclose(topology["left_lines"][0] - topology["lanes"][0], [[0, 1.8, 0]] * 10, atol=1e-6)
    gaps = np.linalg.norm(np.diff(topology["lanes"][1], axis=0), axis=1)
    assert np.ptp(gaps) < 0.02  # evenly spaced along the curve
    assert topology["left_types"].tolist() == [2, 2, 2] and topology["right_types"].tolist() == [1, 1, 1]
    assert topology["is_intersection"].tolist() == [False, True, True]
    assert topology["areas"].shape == (1, 20, 3) and topology["area_categories"].tolist() == [1]
    np.testing.assert_array_equal(topology["topology_lclc"], RELATIONS[0])


def test_collections_give_the_same_index(tmp_path: Path) -> None:
    root = write_openlane(tmp_path)
    write_collections(root)
    expected = records_of(root, split="val")
    found = records_of(root, split="val", pickles=True)
    for one, other in zip(found, expected, strict=True):
        assert one["token"] == other["token"]
        np.testing.assert_array_equal(one["lane_topology"]["lanes"][:, ::2], other["lane_topology"]["lanes"][:, ::2])


def test_collections_are_loaded_once_before_the_processes_are_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, loads = write_openlane(tmp_path), tmp_path / "loads"
    write_collections(root)

    def read(path: Path, *others: str) -> dict:
        with loads.open("a") as file:
            file.write(f"{path.name} {os.getpid()}\n")
        return read_plain_pickle(path, *others)

    monkeypatch.setattr(sources, "read_plain_pickle", read)
    monkeypatch.setattr(index_build.ShardFolder, "remove", lambda self: None)
    build_indexes(root, "A", pickles=True, workers=2)
    expected = [f"data_dict_subset_A_{split}.pkl {os.getpid()}" for split in ("train", "val")]
    assert loads.read_text().splitlines() == expected
    build_indexes(root, "A", pickles=True, workers=2)
    assert loads.read_text().splitlines() == expected, "nothing is missing, so no collection is needed"
    next(root.glob(".openlane_v2-*/val-*.pkl")).unlink()
    build_indexes(root, "A", pickles=True, workers=2)
    assert loads.read_text().splitlines() == [*expected, expected[1]]


def test_collections_that_want_to_run_code_are_refused(tmp_path: Path) -> None:
    root = write_openlane(tmp_path)
    (root / "data_dict_subset_A_train.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(AnnotationError, match=r"_train\.pkl: not a readable collection .*system"):
        build_indexes(root, "A", pickles=True)


def test_frames_without_annotation(tmp_path: Path) -> None:
    def strip(frame: dict, identifier: str) -> None:
        if identifier.startswith("val"):
            del frame["annotation"]

    records = records_of(write_openlane(tmp_path, edit=strip), split="val")
    assert [record["lane_topology"] for record in records] == [None, None]


def test_missing_images_are_listed(tmp_path: Path) -> None:
    root = write_openlane(tmp_path)
    gone = sorted(root.glob("train/00000/image/ring_side_left/*.jpg"))
    for path in gone:
        path.unlink()
    with pytest.raises(MissingImagesError) as caught:
        build_indexes(root, "A")
    assert f"{root}: 3 images are missing: {gone[0].relative_to(root)}, " in str(caught.value)
    assert "--allow-missing" in str(caught.value)
    assert not list(root.glob("*.pkl"))
    summary = build_indexes(root, "A", allow_missing=True)[0]
    assert (summary.frames, summary.images_missing) == (5, 3)
    first = read_index(summary.path)["data_list"][0]
    assert list(first["images"]) == [name for name in CAMERAS["A"] if name != "ring_side_left"]


def test_frames_without_any_image_are_left_out(tmp_path: Path) -> None:
    root = write_openlane(tmp_path)
    for path in root.glob("val/00002/image/*/*.jpg"):
        path.unlink()
    train, val = build_indexes(root, "A", allow_missing=True)
    assert (train.frames, val.frames, val.images_missing) == (5, 0, 14)


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, read = write_openlane(tmp_path), []
    original = index_build._SegmentReader.read

    def counted(self, segment):
        if segment.name == "val-00002" and len(read) == 2:
            read.append("stopped")
            raise KeyboardInterrupt
        read.append(segment.name)
        return original(self, segment)

    monkeypatch.setattr(index_build._SegmentReader, "read", counted)
    with pytest.raises(KeyboardInterrupt):
        build_indexes(root, "A")
    build_indexes(root, "A")
    assert read == ["train-00000", "train-00001", "stopped", "val-00002"]
    assert not list(root.glob(".openlane_v2-*"))


def test_segments_whose_files_changed_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_openlane(tmp_path)
    monkeypatch.setattr(index_build.ShardFolder, "remove", lambda self: None)
    build_indexes(root, "A")
    path = next(root.glob("train/00001/info/*[0-9].json"))
    path.write_text(path.read_text().replace('"attribute": 5', '"attribute": 6'))
    changed = [record["lane_topology"]["traffic_attributes"].tolist() for record in records_of(root)]
    assert changed.count([1, 6]) == 1 and changed.count([1, 5]) == 4


def _set(*path):
    *way, last, value = path

    def edit(frame: dict) -> None:
        for key in way:
            frame = frame[key]
        if value is None:
            del frame[last]
        else:
            frame[last] = value

    return edit


ANNOTATION = "annotation"
FRONT = ("sensor", "ring_front_center")
BROKEN = [
    (_set("pose", None), "'pose' is missing"),
    (_set("pose", "rotation", [[1, 0], [0, 1]]), r"pose: 'rotation' must have shape \(3, 3\), found \(2, 2\)"),
    (_set(*FRONT, "image_path", 3), "sensor: ring_front_center: 'image_path' must be a path, found 3"),
    (_set(*FRONT, "intrinsic", "K", None), "intrinsic: 'K' is missing"),
    (_set(*FRONT, "extrinsic", []), "extrinsic: expected an object, found list"),
    (_set(*FRONT, None), "subset A has 7 cameras, ring_front_center among them, found ring_front_left"),
    (_set(ANNOTATION, "lane_centerline", None), "annotation: 'lane_centerline' is missing"),
    (
        _set(ANNOTATION, "lane_centerline", 1, "points", [[0, 1], [1, 2]]),
        r"lane_centerline\[1\]: 'points' must have shape \(n, 3\), found \(2, 2\)",
    ),
    (_set(ANNOTATION, "lane_centerline", 1, "points", [[0, 1, 2]]), "'points' must have at least 2 points"),
    (
        _set(ANNOTATION, "lane_centerline", 2, "points", [[0, 1, 2], [1, float("nan"), 3]]),
        r"lane_centerline\[2\]: 'points' holds NaN or infinity",
    ),
    (_set(ANNOTATION, "traffic_element", 0, "attribute", 13), r"traffic_element\[0\]: 'attribute' must lie in 0..12"),
    (_set(ANNOTATION, "traffic_element", 1, "id", "x"), r"traffic_element\[1\]: 'id' must be an integer, found 'x'"),
    (
        _set(ANNOTATION, "traffic_element", 1, "points", [[48, 24], [40, 33]]),
        r"traffic_element\[1\]: 'points' must be the top left",
    ),
    (_set(ANNOTATION, "lane_centerline", {}), "'lane_centerline' must be a list, found dict"),
    (_set(ANNOTATION, "traffic_element", 0, 7), r"traffic_element\[0\]: expected an object, found int"),
    (_set(ANNOTATION, "traffic_element", 0, "category", 9), r"traffic_element\[0\]: 'category' must lie in"),
    (_set(ANNOTATION, "topology_lcte", None), "'topology_lcte' is missing"),
    (_set(ANNOTATION, "topology_lclc", [[0, 1], [1, 0]]), r"'topology_lclc' must have shape \(3, 3\)"),
    (_set(ANNOTATION, "topology_lcte", [[2, 0], [0, 0], [0, 0]]), "'topology_lcte' must hold zeros and ones"),
    (_set(ANNOTATION, "topology_lclc", [[0, 1, 0], [1], []]), "'topology_lclc' is no array of numbers"),
]


@pytest.mark.parametrize(("edit", "message"), BROKEN, ids=[str(i) for i in range(len(BROKEN))])
def test_a_bad_annotation_is_named_with_file_and_field(tmp_path: Path, edit, message: str) -> None:
    def second_frame(frame: dict, identifier: str) -> None:
        if identifier.startswith("train/00001/") and not identifier.endswith("-ls"):
            edit(frame)

    root = write_openlane(tmp_path, edit=second_frame, images=False)
    with pytest.raises(AnnotationError, match=rf"/train/00001/info/\d+\.json: .*{message}"):
        build_indexes(root, "A")


BROKEN_SEGMENTS = [
    (_set(ANNOTATION, "lane_segment", 0, "left_laneline", None), r"lane_segment\[0\]: 'left_laneline' is missing"),
    (_set(ANNOTATION, "lane_segment", 1, "centerline", []), r"lane_segment\[1\]: 'centerline' must have shape"),
    (_set(ANNOTATION, "lane_segment", 2, "right_laneline_type", 5), r"\[2\]: 'right_laneline_type' must lie in 0..2"),
    (_set(ANNOTATION, "area", 0, "category", 0), r"area\[0\]: 'category' must lie in 1..2, found 0"),
    (_set(ANNOTATION, "topology_lsls", [[0]]), r"'topology_lsls' must have shape \(3, 3\), found \(1, 1\)"),
]


@pytest.mark.parametrize(("edit", "message"), BROKEN_SEGMENTS, ids=[str(i) for i in range(len(BROKEN_SEGMENTS))])
def test_a_bad_lane_segment_is_named_with_file_and_field(tmp_path: Path, edit, message: str) -> None:
    def second_segment(frame: dict, identifier: str) -> None:
        if identifier.startswith("train/00001/") and identifier.endswith("-ls"):
            edit(frame)

    root = write_openlane(tmp_path, edit=second_segment, images=False)
    with pytest.raises(AnnotationError, match=rf"/train/00001/info/\d+-ls\.json: .*{message}"):
        build_indexes(root, "A", layout="segment")


def test_a_mirrored_pose_is_named(tmp_path: Path) -> None:
    edit = _set(*FRONT, "extrinsic", "rotation", np.diag([1.0, -1.0, 1.0]).tolist())
    root = write_openlane(tmp_path, edit=lambda frame, _: edit(frame), images=False)
    with pytest.raises(CalibrationError, match=r"00000/info/\d+\.json: sensor: ring_front_center: extrinsic"):
        build_indexes(root, "A")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "data_dict_subset_A.json: no such file"),
        ("{", "data_dict_subset_A.json: not valid JSON"),
        ("[]", "expected an object, found list"),
        (json.dumps({"train": {"0": ["x.json"]}}), "train: 0: expected a list of files TIMESTAMP.json"),
        (json.dumps({"train": {"0": ["1.json"]}}), r"train/0/info/1\.json: no such file"),
    ],
)
def test_a_bad_list_of_frames(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "data_dict_subset_A.json").write_text(content)
    with pytest.raises(AnnotationError, match=message):
        build_indexes(tmp_path, "A")


def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    root = write_openlane(tmp_path)
    path = next(root.glob("train/00000/image/ring_side_left/*.jpg"))
    path.write_bytes(b"text")
    with pytest.raises(AnnotationError, match=f"{path}: not an image"):
        build_indexes(root, "A")


def test_splits_that_lead_out_of_the_folder_are_refused() -> None:
    with pytest.raises(InputError, match=r"escaped' can't be part of a file's name"):
        index_build.index_name("A", "x/../../escaped")
