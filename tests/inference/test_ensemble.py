"""Merged predictions files of both data sets against what one computes by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bev.datasets.nuscenes.submission import CAMERA_ONLY, box_record, boxes_of_records
from bev.datasets.submission_errors import SubmissionError
from bev.datasets.waymo.objects import BOX_FIELDS, objects_from_arrays
from bev.inference.ensemble import EnsembleError, EnsembleOptions, ensemble_nuscenes, ensemble_waymo

CAR = [600.0, 1600.0, 1.0, 4.0, 2.0, 1.6, 0.3, 5.0, -1.0]


def submission(rows: Sequence[tuple[list[float], float, str, str]], **meta: bool) -> dict:
    """Of two samples, the second without boxes."""
    records = [box_record(np.array(box), score, name, attribute, "a") for box, score, name, attribute in rows]
    return {"meta": {**CAMERA_ONLY, **meta}, "results": {"a": records, "b": []}}


def objects(rows: Sequence[tuple[list[float], float, int]], frames: Sequence[tuple[str, int]]):
    boxes, scores, types = (np.array(column) for column in zip(*rows, strict=True))
    arrays = {"box": boxes, "score": scores, "type": types}
    return objects_from_arrays(arrays, [frame[0] for frame in frames], [frame[1] for frame in frames])


def test_boxes_of_a_sample_meet_and_keep_the_better_attribute() -> None:
    moved = [CAR[0] + 0.5 * np.cos(0.3), CAR[1] + 0.5 * np.sin(0.3), *CAR[2:]]
    first = submission([(CAR, 0.8, "car", "vehicle.moving")])
    second = submission([(moved, 0.4, "car", "vehicle.parked"), (CAR, 0.6, "bus", "")], use_map=True)
    merged = ensemble_nuscenes([first, second], EnsembleOptions(weights=(1, 1)), "xy")
    assert merged["meta"] == {**CAMERA_ONLY, "use_map": True}
    car, bus = merged["results"]["a"]
    assert merged["results"]["b"] == []
    assert (car["detection_name"], car["attribute_name"]) == ("car", "vehicle.moving")
    assert car["detection_score"] == pytest.approx(0.6)
    expected = [CAR[0] + 0.5 * np.cos(0.3) / 3, CAR[1] + 0.5 * np.sin(0.3) / 3, *CAR[2:]]
    np.testing.assert_allclose(boxes_of_records([car]), [expected], rtol=1e-12)
    assert (bus["detection_name"], bus["detection_score"]) == ("bus", pytest.approx(0.3))


def test_equal_files_give_the_file() -> None:
    rows = [(CAR, 0.8, "car", "vehicle.moving"), ([0.1 + CAR[0], *CAR[1:]], 0.7, "car", "vehicle.parked")]
    merged = ensemble_nuscenes([submission(rows)] * 4, EnsembleOptions(), "wxyz")
    found, given = merged["results"]["a"], submission(rows)["results"]["a"]
    np.testing.assert_allclose(boxes_of_records(found), boxes_of_records(given), rtol=1e-15)
    without_rotation = [{**record, "rotation": None} for record in found]
    assert without_rotation == [{**record, "rotation": None} for record in given]


def test_low_scores_are_left_out_and_classes_have_their_thresholds() -> None:
    moved = [CAR[0] + np.cos(0.3), CAR[1] + np.sin(0.3), *CAR[2:]]  # IoU 0.6
    rows = [[(box, 0.5, "car", ""), (box, 0.5, "truck", ""), (CAR, 0.01, "bus", "")] for box in (CAR, moved)]
    options = EnsembleOptions(threshold=0.5, class_thresholds={"truck": 0.7}, min_score=0.1)
    merged = ensemble_nuscenes([submission(part) for part in rows], options, "xy")
    assert [record["detection_name"] for record in merged["results"]["a"]] == ["car", "truck", "truck"]


def test_at_most_500_boxes() -> None:
    parts = [
        submission([([10.0 * k + 5 * side, *CAR[1:]], 0.5, "car", "") for k in range(300)]) for side in range(2)
    ]
    assert len(ensemble_nuscenes(parts, EnsembleOptions(), "xy")["results"]["a"]) == 500


def test_files_of_other_samples_are_refused() -> None:
    other = submission([])
    other["results"]["c"] = other["results"].pop("b")
    with pytest.raises(SubmissionError, match=r"y is not a valid .*\n.*missing, such as b\n.*not of the split.* c"):
        ensemble_nuscenes([submission([]), other], EnsembleOptions(), "xy")


def test_waymo_frames_are_merged_one_by_one() -> None:
    box = CAR[:7]
    first = objects([(box, 0.5, 1), (box, 0.25, 2), (box, 0.75, 1)], [("s", 1), ("s", 1), ("s", 2)])
    second = objects([(box, 0.25, 1), (box, 0.5, 1)], [("s", 1), ("t", 1)])
    merged = ensemble_waymo([first, second], EnsembleOptions(weights=(3, 1)), "xy").objects
    rows = [(e.context_name, e.frame_timestamp_micros, e.object.type, e.score) for e in merged]
    assert rows == [("s", 1, 1, 0.4375), ("s", 1, 2, 0.1875), ("s", 2, 1, 0.5625), ("t", 1, 1, 0.125)]
    assert [getattr(merged[0].object.box, name) for name in BOX_FIELDS] == box
    assert ensemble_waymo([first] * 2, EnsembleOptions(), "xy") == first


def test_no_waymo_objects_at_all() -> None:
    empty = objects([(CAR[:7], 0.1, 1)], [("s", 1)])
    assert len(ensemble_waymo([empty, empty], EnsembleOptions(min_score=0.5), "xy").objects) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(weights=(1.0,)), "2 files, but 1 weights"),
        (dict(class_thresholds={"van": 0.1}), "no class van"),
        (dict(threshold=1.5), "below 1"),
    ],
)
def test_options_that_do_not_fit(options: dict, message: str) -> None:
    with pytest.raises(EnsembleError, match=message):
        ensemble_nuscenes([submission([])] * 2, EnsembleOptions(**options), "xy")


def test_objects_of_single_cameras_are_refused() -> None:
    message = objects([(CAR[:7], 0.5, 1)], [("s", 1)])
    message.objects[0].camera_name = 1
    with pytest.raises(EnsembleError, match="single images"):
        ensemble_waymo([message], EnsembleOptions(), "x")


@pytest.mark.parametrize("wrong", [{"score": 5.0}, {"score": np.nan}, {"centre": np.inf}, {"segment": ""}])
def test_waymo_objects_that_make_no_sense_are_named(wrong: dict) -> None:
    box = np.ones((2, 7))
    box[1, 0] = wrong.get("centre", 1.0)
    scores = np.array([0.5, wrong.get("score", 0.5)])
    arrays = {"box": box, "type": np.ones(2), "score": scores}
    message = objects_from_arrays(arrays, ["a", wrong.get("segment", "a")], [1, 2])
    with pytest.raises(EnsembleError, match=r"^y: object 1 .* needs a segment, a finite box and a score in \[0, 1\]"):
        ensemble_waymo([message], EnsembleOptions(), "y")
