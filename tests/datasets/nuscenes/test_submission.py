from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmdet3d.structures import LiDARInstance3DBoxes
from pyquaternion import Quaternion

from bev.datasets.nuscenes.classes import CLASSES
from bev.datasets.nuscenes.submission import (
    MAX_BOXES_PER_SAMPLE,
    SubmissionError,
    check_records,
    format_boxes,
    read_submission,
    validate_submission,
    write_submission,
    zip_submission,
)
from bev.geometry import pose_matrix, rotation_z

CAR, BUS = CLASSES.index("car"), CLASSES.index("bus")


def _boxes(*rows: list[float]) -> LiDARInstance3DBoxes:
    return LiDARInstance3DBoxes(np.array(rows, dtype=np.float32).reshape(-1, 9), box_dim=9)


def _results() -> dict[str, list[dict]]:
    boxes = _boxes([10, 2, -1, 4.5, 1.9, 1.6, 0.3, 5, 0], [-4, 7, -1, 11, 2.9, 3.2, 2, 0, 0])
    return {
        "one": format_boxes(boxes, np.array([0.5, 0.9]), np.array([CAR, BUS]), np.eye(4), "one"),
        "two": [],
    }


def _submission() -> dict:
    meta = {f"use_{name}": name == "camera" for name in ("camera", "lidar", "radar", "map", "external")}
    return {"meta": meta, "results": _results()}


def test_records_are_in_the_global_frame():
    global_T_bev = pose_matrix([1, 0, 0, 0], [100, 200, 1]) @ rotation_z(np.pi / 2)
    (record,) = format_boxes(
        _boxes([10, 2, -1, 4, 2, 1.5, 0.3, 5, 0]), np.array([0.5]), np.array([CAR]), global_T_bev, "token"
    )
    # 10 m along bev's x, which is the global y; mmdet3d's z is the bottom, half a height under the centre.
    np.testing.assert_allclose(record["translation"], [98, 210, 0.75], atol=1e-5)
    assert record["size"] == pytest.approx([2, 4, 1.5])
    assert Quaternion(record["rotation"]).yaw_pitch_roll[0] == pytest.approx(0.3 + np.pi / 2, abs=1e-6)
    np.testing.assert_allclose(record["velocity"], [0, 5], atol=1e-5)
    assert (record["detection_name"], record["attribute_name"]) == ("car", "vehicle.moving")
    assert (record["sample_token"], record["detection_score"]) == ("token", 0.5)


def test_best_boxes_come_first_and_at_most_500():
    count = MAX_BOXES_PER_SAMPLE + 20
    boxes = _boxes(*[[i, 0, 0, 4, 2, 1.5, 0, 0, 0] for i in range(count)])
    scores = np.random.default_rng(0).permutation(count) / count
    records = format_boxes(boxes, scores, np.full(count, CAR), np.eye(4), "token")
    assert [record["detection_score"] for record in records] == sorted(scores, reverse=True)[:MAX_BOXES_PER_SAMPLE]
    assert records[0]["translation"][0] == pytest.approx(np.argmax(scores))


def test_given_attributes_win_and_unknown_velocities_become_zero():
    boxes = _boxes([10, 2, -1, 4, 2, 1.5, 0, np.nan, np.nan])
    (record,) = format_boxes(boxes, [0.5], [CAR], np.eye(4), "token", attributes=["vehicle.stopped"])
    assert record["attribute_name"] == "vehicle.stopped"
    assert record["velocity"] == [0, 0]


def test_no_boxes():
    assert format_boxes(_boxes(), np.zeros(0), np.zeros(0, dtype=int), np.eye(4), "token") == []


def test_write_validate_and_zip(tmp_path: Path):
    path = tmp_path / "results_nusc.json"
    write_submission(path, _results(), {"use_external": True})
    submission = read_submission(path)
    assert submission["meta"]["use_camera"]
    assert submission["meta"]["use_external"]
    assert validate_submission(submission, ["one", "two"]) == 2
    zip_submission(path, tmp_path / "results_nusc.zip")
    with zipfile.ZipFile(tmp_path / "results_nusc.zip") as archive:
        assert archive.namelist() == ["results_nusc.json"]
        assert json.loads(archive.read("results_nusc.json")) == submission


def test_nan_is_not_written(tmp_path: Path):
    results = _results()
    results["one"][0]["translation"][0] = float("nan")
    with pytest.raises(SubmissionError, match="sample one, box 0: translation must be 3 finite numbers"):
        write_submission(tmp_path / "results_nusc.json", results)
    assert list(tmp_path.iterdir()) == []


def _set(key: str, value: object) -> Callable[[dict], None]:
    return lambda submission: submission["results"]["one"][1].__setitem__(key, value)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda s: s["results"].pop("two"), "1 of 2 samples of the split are missing, such as two"),
        (lambda s: s["results"].update(three=[]), "1 samples are not of the split, such as three"),
        (lambda s: s.pop("meta"), "'meta' must say true or false"),
        (lambda s: s["meta"].update(use_map="no"), "'meta' must say true or false"),
        (lambda s: s.pop("results"), "expected a JSON object"),
        (lambda s: s["results"].update(one={}), "sample one: expected a list"),
        (lambda s: s["results"]["one"].extend(s["results"]["one"][:1] * 500), "sample one: 502 boxes, at most 500"),
        (lambda s: s["results"]["one"].__setitem__(1, 3), "sample one, box 1: expected an object"),
        (_set("sample_token", "two"), "box 1: its sample_token is 'two'"),
        (_set("translation", [0, 0]), "box 1: translation must be 3 finite numbers"),
        (_set("translation", [0, 0, float("nan")]), "box 1: translation must be 3 finite numbers"),
        (_set("velocity", [float("inf"), 0]), "box 1: velocity must be 2 finite numbers"),
        (_set("velocity", [10**400, 0]), "box 1: velocity must be 2 finite numbers"),
        (_set("detection_score", 10**400), r"box 1: detection_score must lie in 0\.\.1"),
        (_set("velocity", None), "box 1: velocity must be 2 finite numbers"),
        (_set("size", [1, 0, 1]), "box 1: size must be positive"),
        (_set("rotation", [1, 1, 0, 0]), "box 1: rotation must be a unit quaternion"),
        (_set("detection_score", 1.01), r"box 1: detection_score must lie in 0\.\.1"),
        (_set("detection_score", "high"), r"box 1: detection_score must lie in 0\.\.1"),
        (_set("detection_score", True), r"box 1: detection_score must lie in 0\.\.1"),
        (_set("detection_name", "dog"), "box 1: unknown detection_name 'dog'"),
        (_set("attribute_name", "vehicle.flying"), "box 1: unknown attribute_name"),
        (_set("attribute_name", None), "box 1: unknown attribute_name"),
    ],
)
def test_every_mistake_is_named(edit: Callable, reason: str):
    submission = copy.deepcopy(_submission())
    edit(submission)
    with pytest.raises(SubmissionError, match=reason):
        validate_submission(submission, ["one", "two"])


def test_many_mistakes_are_cut_short():
    submission = _submission()
    submission["results"]["one"] = [{} for _ in range(100)]
    with pytest.raises(SubmissionError) as caught:
        validate_submission(submission, ["one", "two"], "file.json")
    assert str(caught.value).startswith("file.json is not a valid nuScenes submission")
    assert len(str(caught.value).splitlines()) == 7


def test_unreadable_files(tmp_path: Path):
    with pytest.raises(SubmissionError, match="no such file"):
        read_submission(tmp_path / "nothing.json")
    (tmp_path / "half.json").write_text('{"meta": ', encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"half\.json: not valid JSON"):
        read_submission(tmp_path / "half.json")


def test_a_file_of_something_else_is_named(tmp_path: Path):
    path = tmp_path / "results.json"
    path.write_text('{"results": []}')
    with pytest.raises(SubmissionError, match=r"results\.json: expected an object with the objects 'meta'"):
        read_submission(path)


def test_the_boxes_of_one_sample_are_checked_alone():
    check_records("one", _results()["one"], "submission")
    with pytest.raises(SubmissionError, match=r"submission: .*one"):
        check_records("one", [{"sample_token": "one"}], "submission")
