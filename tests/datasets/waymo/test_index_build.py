"""The index of a release: what it keeps, how big it is, and what happens to damaged files and killed runs."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import cv2
import fsspec
import google_crc32c
import numpy as np
import pytest
from tiny_waymo import OBJECTS, START, make_frame, vehicle_T_camera, write_release

from bev.datasets.index_io import read_index, write_index
from bev.datasets.npz_files import read_arrays
from bev.datasets.waymo import index_build
from bev.datasets.waymo.index_build import WaymoFilesError, build_indexes, find_splits, read_segments
from bev.datasets.waymo.segment import Segment
from bev.datasets.waymo.tfrecord import RecordError, RecordFile, write_records
from bev.geometry import CalibrationError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_release(tmp_path / "waymo")


def the_file(root: Path) -> Path:
    return root / "validation" / "segment-c_with_camera_labels.tfrecord"


def test_one_index_per_folder(root: Path) -> None:
    summaries = build_indexes(root)
    assert [(s.path.name, s.segments, s.frames, s.objects) for s in summaries] == [
        ("waymo_infos_training.pkl", 2, 6, 30),
        ("waymo_infos_validation.pkl", 1, 3, 15),
    ]
    assert [s.size for s in summaries] == [s.path.stat().st_size for s in summaries]
    assert sorted(path.name for path in root.iterdir()) == [
        "training", "validation", "waymo_infos_training.pkl", "waymo_infos_validation.pkl",
    ]  # fmt: skip
    assert [segment.name for segment in read_segments(root / "waymo_infos_training.pkl")] == ["a", "b"]


def test_what_the_index_holds(root: Path) -> None:
    build_indexes(root, splits=["validation"])
    (segment,) = read_segments(root / "waymo_infos_validation.pkl")
    frame = make_frame("c", 1)
    assert segment.path == "validation/segment-c_with_camera_labels.tfrecord"
    assert (segment.location, segment.weather, segment.time_of_day) == ("location_made", "sunny", "")
    np.testing.assert_array_equal(segment.timestamps, START + 100_000 * np.arange(3))
    np.testing.assert_array_equal(segment.cameras, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(segment.camera_sizes, [[128, 192]] * 3 + [[89, 192]] * 2)
    np.testing.assert_array_equal(segment.intrinsics[1], frame.context.camera_calibrations[1].intrinsic)
    np.testing.assert_array_equal(segment.vehicle_T_camera[2], vehicle_T_camera(-45.0))
    np.testing.assert_array_equal(segment.global_T_vehicle[1].ravel(), frame.pose.transform)
    np.testing.assert_array_equal(segment.image_global_T_vehicle[1, 4].ravel(), frame.images[4].pose.transform)
    np.testing.assert_array_equal(segment.first_object, [0, 5, 10, 15])
    rows = slice(5, 10)
    for values, column in (
        (segment.types[rows], 0), (segment.lidar_points[rows], 2), (segment.top_points[rows], 3),
        (segment.levels[rows], 4), (segment.centres[rows], 5), (segment.sizes[rows], 6), (segment.headings[rows], 7),
        (segment.velocities[rows], 8),
    ):  # fmt: skip
        np.testing.assert_allclose(values, [given[column] for given in OBJECTS], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(segment.most_visible[rows], [1, 4, 3, 1, 0])
    np.testing.assert_allclose(segment.synced_boxes[5], [20.4, 1.0, 0.9, 4.6, 1.9, 1.6, 0.1], rtol=1e-6)
    assert np.isnan(segment.synced_centres[9]).all()
    assert [segment.track_ids[track] for track in segment.tracks[rows]] == [f"object-{n}" for n in range(5)]
    np.testing.assert_array_equal(segment.corners[3:6], [[0, 40], [5, 40], [5, 45]])
    np.testing.assert_array_equal(segment.first_zone, [0, 1, 2, 3])


def test_images_lie_where_the_index_says(root: Path) -> None:
    build_indexes(root, splits=["validation"])
    (segment,) = read_segments(root / "waymo_infos_validation.pkl")
    data = the_file(root).read_bytes()
    for t in range(3):
        for c, image in enumerate(make_frame("c", t).images):
            start, length = segment.image_offsets[t, c], segment.image_lengths[t, c]
            assert data[start : start + length] == image.image
            assert segment.image_crcs[t, c] == google_crc32c.value(image.image)


def test_an_older_index_holds_more(root: Path) -> None:
    build_indexes(root, splits=["validation"])
    (segment,) = read_segments(root / "waymo_infos_validation.pkl")
    entry = segment.to_entry()
    arrays = {**read_arrays(io.BytesIO(entry["arrays"])), "record_offsets": np.arange(3), "record_lengths": np.ones(3)}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    back = Segment.from_entry({**entry, "arrays": packed.getvalue(), "comment": "of another version"})
    np.testing.assert_array_equal(back.image_offsets, segment.image_offsets)
    assert back.name == segment.name


def test_workers_and_orders_change_nothing(root: Path, tmp_path: Path) -> None:
    build_indexes(root, tmp_path / "one")
    build_indexes(root, tmp_path / "two", workers=2)
    name = "waymo_infos_training.pkl"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_killed_run_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = index_build.read_segment
    seen = []

    def dies(path, *arguments):
        seen.append(Path(path).name[8])
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read(path, *arguments)

    monkeypatch.setattr(index_build, "read_segment", dies)
    with pytest.raises(KeyboardInterrupt):
        build_indexes(root)
    write_release(root, {"training": ("b",)}, frames=2)  # another state of a file that was read already
    build_indexes(root)
    assert seen == ["a", "b", "c", "b", "c"]
    assert [len(segment) for segment in read_segments(root / "waymo_infos_training.pkl")] == [3, 2]


def test_damage_is_an_error_with_file_and_byte_or_skipped(root: Path) -> None:
    path = the_file(root)
    second = int(RecordFile(path, root).index.offsets[1])
    content = bytearray(path.read_bytes())
    content[second + 5000] ^= 1
    path.write_bytes(content[:-10])
    with pytest.raises(RecordError, match=f"{path}, record at byte .*the file ends at byte"):
        build_indexes(root, splits=["validation"])
    with pytest.warns(UserWarning, match=r"skipped: .*record at byte") as warned:
        build_indexes(root, splits=["validation"], skip_damaged=True)
    assert any(f"record at byte {second}: its" in str(warning.message) for warning in warned)
    (segment,) = read_segments(root / "waymo_infos_validation.pkl")
    np.testing.assert_array_equal(segment.timestamps, [START])


def test_a_strict_run_takes_no_segment_that_a_skipping_one_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = the_file(root)
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(index_build.ShardFolder, "remove", lambda self: None)
    build_indexes(root, splits=["training"])
    with pytest.warns(UserWarning, match="skipped"):
        build_indexes(root, skip_damaged=True)
    names = {path.name.endswith(".skipping.pkl") for path in root.glob(".waymo_infos-*/segment-[abc]*.pkl")}
    assert names == {False, True}
    with pytest.raises(RecordError, match="record at byte"):
        build_indexes(root)


def test_a_record_that_is_no_frame(root: Path) -> None:
    write_records(the_file(root), [make_frame("c", 0).SerializeToString(), b"\x0a\x05ab"])
    with pytest.raises(RecordError, match=r"record at byte \d+: not a frame"):
        build_indexes(root)
    with pytest.warns(UserWarning, match="not a frame"):
        build_indexes(root, skip_damaged=True)
    assert len(read_segments(root / "waymo_infos_validation.pkl")[0]) == 1


def test_impossible_calibrations_are_named(tmp_path: Path) -> None:
    def squash(frame) -> None:
        frame.images[2].pose.transform[0] = 3.0

    root = write_release(tmp_path, {"training": ("a",)}, frames=1, edit=squash)
    with pytest.raises(CalibrationError, match="record at byte 0, pose of camera 3"):
        build_indexes(root)


def test_frames_without_some_images(tmp_path: Path) -> None:
    root = write_release(tmp_path, {"training": ("a",)}, frames=1, edit=lambda frame: frame.images.pop(1))
    build_indexes(root)
    (segment,) = read_segments(root / "waymo_infos_training.pkl")
    assert (segment.image_offsets >= 0).tolist() == [[True, False, True, True, True]]


def test_folders_that_hold_nothing(root: Path, tmp_path: Path) -> None:
    with pytest.raises(WaymoFilesError, match="no segment files"):
        build_indexes(tmp_path / "absent")
    with pytest.raises(WaymoFilesError, match="no folder testing"):
        build_indexes(root, splits=["testing"])
    with pytest.raises(WaymoFilesError, match="--out"):
        build_indexes(memory_copy(root))
    write_index(tmp_path / "other.pkl", {"dataset": "nuscenes"}, [])
    with pytest.raises(WaymoFilesError, match="not of Waymo"):
        read_segments(tmp_path / "other.pkl")


def memory_copy(root: Path) -> str:
    """URL of a copy of a release in fsspec's memory store."""
    fsspec.filesystem("memory").put(str(root / "validation"), "/waymo/validation", recursive=True)
    return "memory://waymo"


def test_object_stores(root: Path, tmp_path: Path) -> None:
    url = memory_copy(root)
    assert list(find_splits(url)) == ["validation"]
    build_indexes(url, tmp_path / "out")
    build_indexes(root, splits=["validation"])
    remote, local = (folder / "waymo_infos_validation.pkl" for folder in (tmp_path / "out", root))
    assert read_index(remote)["data_list"] == read_index(local)["data_list"]


def test_a_segment_of_200_frames_takes_less_than_a_megabyte(tmp_path: Path) -> None:
    """75 moving objects in each frame, as in a busy street; numbers as random as real ones."""
    generator = np.random.default_rng(0)
    sizes = generator.uniform(0.5, 5, (75, 3))
    picture = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()

    def crowd(frame) -> None:
        for image in frame.images:
            image.image = picture
            image.pose.transform[3] += generator.normal()
        model = frame.laser_labels[0]
        del frame.laser_labels[1:]
        for number, size in enumerate(sizes):
            label = model if number == 0 else frame.laser_labels.add()
            label.CopyFrom(model)
            label.id = f"{number:022d}"
            label.num_lidar_points_in_box, label.num_top_lidar_points_in_box = generator.integers(1, 3000, 2)
            label.metadata.speed_x, label.metadata.speed_y = generator.normal(size=2)
            for box in (label.box, label.camera_synced_box):
                box.center_x, box.center_y, box.center_z, box.heading = generator.normal(size=4)
                box.length, box.width, box.height = size

    write_release(tmp_path, {"training": ("a",)}, frames=200, edit=crowd)
    (summary,) = build_indexes(tmp_path)
    assert summary.objects == 15_000
    assert summary.size < 1_000_000
    shutil.rmtree(tmp_path / "training")


def test_the_real_frame(shared_data: Path, tmp_path: Path) -> None:
    build_indexes(shared_data / "waymo", tmp_path)
    (segment,) = read_segments(tmp_path / "waymo_infos_all.pkl")
    assert segment.name == "1024360143612057520_3580_000_3600_000"
    assert segment.camera_sizes.tolist() == [[1280, 1920]] * 3 + [[886, 1920]] * 2
    assert np.bincount(segment.types).tolist() == [0, 37, 12, 25, 1]
    # Objects that move do so along their headings: the messages' velocities are in the global frame.
    moving = np.hypot(*segment.velocities.T) > 1
    course = np.arctan2(*segment.velocities[moving].T[::-1]) - segment.headings[moving]
    assert moving.sum() == 12
    assert np.abs((course + np.pi) % (2 * np.pi) - np.pi).max() < np.radians(5)
    data = (shared_data / "waymo" / "one_frame.tfrecord").read_bytes()
    for c in range(5):
        start, length = int(segment.image_offsets[0, c]), int(segment.image_lengths[0, c])
        image = cv2.imdecode(np.frombuffer(data[start : start + length], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[:2] == tuple(segment.camera_sizes[c])
