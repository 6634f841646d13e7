"""Objects messages as arrays: the challenge's filter, levels, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bev.datasets.waymo.messages import message_class
from bev.datasets.waymo.objects import (
    FrameCodes,
    ObjectsFileError,
    challenge_ground_truths,
    lidar_ground_truths,
    objects_from_arrays,
    prediction_arrays,
    read_objects,
    rows_by_frame,
)


def label(**fields: Any) -> Any:
    """An object of a vehicle at x = 1, seen by the cameras at x = 2."""
    entry = message_class("Object")(context_name="segment", frame_timestamp_micros=7)
    entry.object.box.center_x, entry.object.camera_synced_box.center_x = 1.0, 2.0
    values = {
        "type": 1,
        "num_lidar_points_in_box": 9,
        "num_top_lidar_points_in_box": 8,
        "most_visible_camera_name": "SIDE_LEFT",
        **fields,
    }
    for name, value in values.items():
        setattr(entry.object, name, value)
    return entry


def test_predictions_go_to_a_file_and_come_back(tmp_path: Path) -> None:
    box = np.arange(14, dtype=np.float64).reshape(2, 7)
    arrays = {"box": box, "type": np.array([1, 4]), "score": np.array([0.25, 0.5])}
    message = objects_from_arrays(arrays, ["a", "b"], [10, 20])
    (tmp_path / "p.bin").write_bytes(message.SerializeToString())
    objects = read_objects(tmp_path / "p.bin").objects
    assert not any(entry.HasField("camera_name") for entry in objects)
    back = prediction_arrays(objects, FrameCodes())
    for name in ("box", "type", "score"):
        np.testing.assert_array_equal(back[name], arrays[name])
    np.testing.assert_array_equal(back["frame"], [0, 1])
    assert not back["nlz"].any()


def test_rows_of_frames_in_their_order() -> None:
    rows = rows_by_frame(np.array([2, 0, 2, 0]), 4)
    assert [own.tolist() for own in rows] == [[1, 3], [], [0, 2], []]
    assert rows_by_frame(np.zeros(0, dtype=np.int64), 0) == []


def test_score_without_a_value_is_one_and_width_is_not_length() -> None:
    entry = label()
    entry.object.box.length, entry.object.box.width, entry.overlap_with_nlz = 5.0, 2.0, True
    arrays = prediction_arrays([entry], FrameCodes())
    assert arrays["score"][0] == 1
    assert arrays["nlz"][0]
    np.testing.assert_array_equal(arrays["box"][0, 3:5], [5, 2])


def test_the_challenge_counts_what_top_lidar_and_a_camera_see() -> None:
    objects = [
        label(),
        label(num_top_lidar_points_in_box=0),
        label(most_visible_camera_name=""),
        label(num_top_lidar_points_in_box=5),
        label(num_top_lidar_points_in_box=5, detection_difficulty_level=1),
        label(detection_difficulty_level=2),
    ]
    arrays = challenge_ground_truths(objects, FrameCodes())
    np.testing.assert_array_equal(arrays["diff"], [1, 2, 1, 2])
    np.testing.assert_array_equal(arrays["box"][:, 0], 2.0)
    np.testing.assert_array_equal(arrays["camera"], 4)


def test_plain_ground_truth_has_lidar_points_and_boxes_of_the_lidar() -> None:
    objects = [label(num_top_lidar_points_in_box=0, num_lidar_points_in_box=3), label(num_lidar_points_in_box=0)]
    arrays = lidar_ground_truths(objects, FrameCodes())
    np.testing.assert_array_equal(arrays["diff"], [2])
    np.testing.assert_array_equal(arrays["box"][:, 0], 1.0)


def test_frames_differ_by_segment_time_and_camera() -> None:
    entries = [label() for _ in range(5)]
    entries[1].context_name, entries[2].frame_timestamp_micros, entries[3].camera_name = "other", 8, 1
    frames = FrameCodes()
    np.testing.assert_array_equal(frames.of(entries), [0, 1, 2, 3, 0])
    np.testing.assert_array_equal(frames.of(entries[2:3]), [2])
    assert len(frames) == 4


def test_bad_files_and_objects(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"not a message")
    with pytest.raises(ObjectsFileError, match=r"x\.bin: not an Objects message"):
        read_objects(tmp_path / "x.bin")
    with pytest.raises(ObjectsFileError, match=r"p\.bin: object 1, in segment 'segment' at 7 us, has no type"):
        prediction_arrays([label(), label(type=0)], FrameCodes(), "p.bin")
    with pytest.raises(ObjectsFileError, match="'BACK', no camera"):
        challenge_ground_truths([label(most_visible_camera_name="BACK")], FrameCodes())
