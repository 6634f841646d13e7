"""Writing and checking OpenLane-V2 submissions."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack import Attack

from bev.datasets.openlane_v2 import submission as module
from bev.datasets.openlane_v2.annotations import AnnotationError
from bev.datasets.openlane_v2.submission import (
    build_submission,
    identifier_of,
    predictions_by_frame,
    read_submission,
    split_identifiers,
    validate_submission,
    write_submission,
)
from bev.datasets.submission_errors import SubmissionError
from bev.evaluation.openlane_ols import evaluate

METADATA = {
    "method": "Lanes",
    "authors": ["A. Author"],
    "e-mail": "a@example.org",
    "institution / company": "Institute",
    "country / region": "CH",
}


@pytest.fixture
def predictions(goldens: Path) -> dict[str, Any]:
    return json.loads((goldens / "openlanev2_metric" / "predictions.json").read_text())


@pytest.fixture
def submission(predictions: dict[str, Any]) -> dict[str, Any]:
    return build_submission(METADATA, predictions)


def segments() -> dict[str, Any]:
    line = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    lines = dict.fromkeys(("centerline", "left_laneline", "right_laneline"), line)
    return {
        "lane_segment": [{"id": 0, **lines, "confidence": 0.5}],
        "traffic_element": [],
        "area": [{"id": 1, "points": line, "category": 2, "confidence": 1}],
        "topology_lsls": [[0.5]],
        "topology_lste": [[]],
    }


def test_what_is_written_is_read_back_and_scores_the_same(
    goldens: Path, predictions: dict[str, Any], submission: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "submission.pkl"
    assert write_submission(path, submission) == path.stat().st_size
    content = read_submission(path)
    assert content.keys() == {*METADATA, "results"}
    assert next(iter(content["results"])) == ("train", "00000", "1")
    truths = json.loads((goldens / "openlanev2_metric" / "ground_truth.json").read_text())
    by_identifier = {identifier_of(token): truth for token, truth in truths.items()}
    assert evaluate(by_identifier, content) == pytest.approx(evaluate(truths, predictions), abs=1e-7)


def test_half_precision_leaves_boxes_alone(
    predictions: dict[str, Any], submission: dict[str, Any], tmp_path: Path
) -> None:
    half = build_submission(METADATA, predictions, "float16")
    sizes = [write_submission(tmp_path / "s.pkl", content) for content in (submission, half)]
    assert sizes[1] < sizes[0]
    frame = half["results"]["train", "00000", "1"]["predictions"]
    assert frame["lane_centerline"][0]["points"].dtype == frame["topology_lclc"].dtype == np.float16
    assert frame["topology_lcte"].dtype == np.float16
    assert frame["traffic_element"][0]["points"].dtype == np.float32


def test_lane_segments_of_2024(tmp_path: Path) -> None:
    results = {("test", "1", "2"): {"predictions": segments()}}
    with pytest.raises(SubmissionError, match="metadata are missing: team"):
        validate_submission(build_submission(METADATA, results))
    content = build_submission({**METADATA, "team": "T"}, results)
    assert validate_submission(content) == 1
    frame = content["results"]["test", "1", "2"]["predictions"]
    assert frame["topology_lste"].shape == (1, 0)
    frame["area"][0]["category"] = 3
    with pytest.raises(SubmissionError, match=r"frame test/1/2: area 0: category must lie in 1\.\.2, found 3"):
        validate_submission(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": ""}, "metadata are missing: method"),
        ({"e-mail": None, "authors": []}, "metadata are missing: e-mail, authors"),
        ({"country / region": "Atlantis"}, "ISO 3166, such as China or CN, found 'Atlantis'"),
        # What YAML makes of an unquoted NO.
        ({"country / region": False}, "'country / region' must be a text, found False"),
        ({"authors": "A. Author"}, "'authors' must be a list of texts"),
        ({"authors": [[["A"] * 9] * 9] * 9}, r"'authors' must be a list of texts, found .{60}\.\.\."),
        ({"authors": ["A"] * 11}, "11 authors, at most 10"),
        ({"results": {}}, "at least one frame"),
        ({"results": {"a/b/c": {}}}, r"frame 'a/b/c': the key must be a tuple \(split, segment, timestamp\)"),
        ({"results": {("a", "b", 3): {}}}, "the key must be a tuple"),
        ({"results": {("a", "b", "c"): []}}, "frame a/b/c: expected a dictionary under 'predictions'"),
    ],
)
def test_wrong_metadata_and_keys(submission: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        validate_submission({**submission, **change})


def lane(frame: dict[str, Any], **change: Any) -> None:
    frame["lane_centerline"][1].update(change)


FRAMES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda frame: frame.pop("traffic_element"), "expected a list under traffic_element"),
    (lambda frame: frame["lane_centerline"][1].pop("confidence"), "lane_centerline 1: confidence missing"),
    (lambda frame: lane(frame, id="7"), "lane_centerline 1: id must be an integer"),
    (lambda frame: lane(frame, points=[[0, 0, 0]]), "lane_centerline 1: points must be an array, found list"),
    (lambda frame: lane(frame, points=np.zeros((4, 2))), r"points must have shape \(n, 3\)"),
    (lambda frame: lane(frame, points=np.full((4, 3), np.nan)), "points holds NaN or infinity"),
    (lambda frame: lane(frame, confidence=float("inf")), "confidence must be a finite number"),
    (lambda frame: lane(frame, confidence=10**5000), "confidence must be a finite number, found a huge int"),
    (lambda frame: frame["traffic_element"][0].update(points=np.zeros((2, 3))), r"points must have shape \(2, 2\)"),
    (lambda frame: frame["traffic_element"][0].update(attribute=13), r"attribute must lie in 0\.\.12, found 13"),
    (lambda frame: lane(frame, id=frame["traffic_element"][0]["id"]), "ids must be unique over all lists"),
    (lambda frame: frame.update(topology_lclc=frame["topology_lclc"][1:]), "topology_lclc: must have shape"),
    (lambda frame: frame.update(topology_lcte=None), "topology_lcte: must be an array, found NoneType"),
    (lambda frame: frame.update(topology_lclc=frame["topology_lclc"].astype(str)), "topology_lclc: must hold numbers"),
]


@pytest.mark.parametrize(("change", "message"), FRAMES)
def test_wrong_predictions(submission: dict[str, Any], change: Callable, message: str, tmp_path: Path) -> None:
    change(submission["results"]["train", "00000", "2"]["predictions"])
    with pytest.raises(SubmissionError, match=f"frame train/00000/2: .*{message}"):
        write_submission(tmp_path / "submission.pkl", submission)
    assert not (tmp_path / "submission.pkl").exists()


def test_only_the_first_problems_are_listed(submission: dict[str, Any]) -> None:
    for frame in submission["results"].values():
        for element in frame["predictions"]["traffic_element"]:
            element["attribute"] = -1
    with pytest.raises(SubmissionError) as error:
        validate_submission(submission)
    assert len(str(error.value).splitlines()) == 7
    error.match(r"\n  \.\.\.$")


def test_frames_of_the_split_must_be_complete(submission: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "data_dict.json"
    path.write_text(json.dumps({"train": {"00000": ["1.json", "2.json"], "00001": ["3.json", "4.json"]}, "val": {}}))
    identifiers = split_identifiers(path, "train")
    with pytest.raises(SubmissionError, match="1 of 4 frames of the split are missing, such as train/00001/4"):
        validate_submission(submission, identifiers)
    assert validate_submission(submission, identifiers[:3]) == 3
    with pytest.raises(SubmissionError, match=r"1 frames are not of the split, such as .*00001"):
        validate_submission(submission, identifiers[:2])
    with pytest.raises(SubmissionError, match="no split 'test', only train, val"):
        split_identifiers(path, "test")
    path.write_text("[1]")
    with pytest.raises(AnnotationError, match=r"data_dict\.json: expected an object, found list"):
        split_identifiers(path, "test")
    with pytest.raises(AnnotationError, match="no such file"):
        split_identifiers(tmp_path / "none.json", "test")


def test_what_cannot_be_converted_is_named(predictions: dict[str, Any]) -> None:
    del predictions["train/00001/3"]["lane_centerline"][0]["points"]
    with pytest.raises(SubmissionError, match="frame train/00001/3: KeyError: 'points'"):
        build_submission(METADATA, predictions)
    predictions["train/00001/3"]["lane_centerline"][0].update(points=np.zeros((2, 3)), confidence=10**400)
    with pytest.raises(SubmissionError, match="frame train/00001/3: OverflowError"):
        build_submission(METADATA, predictions)
    with pytest.raises(SubmissionError, match="frame 'a': expected"):
        build_submission(METADATA, {"a": {}})
    with pytest.raises(SubmissionError, match="dtype must be one of"):
        build_submission(METADATA, {}, "float8")


def test_predictions_are_the_same_bare_nested_and_submitted() -> None:
    expected = {("val", "1", "2"): {"lane_centerline": []}}
    bare = {"val/1/2": {"lane_centerline": []}}
    nested = {token: {"predictions": frame} for token, frame in bare.items()}
    for content in (bare, nested, {"method": "Lanes", "results": nested}):
        assert predictions_by_frame(content) == expected
    for wrong in ({"val/1/2": [1]}, {"results": {"val/1/2": {"predictions": [1]}}}):
        with pytest.raises(SubmissionError, match=r"frame val/1/2: expected a dictionary, found \[1\]"):
            predictions_by_frame(wrong)


def test_too_large_a_file_is_told(
    submission: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "print_log", lambda message, **_: told.append(message))
    size = write_submission(tmp_path / "small.pkl", submission)
    assert told == []
    monkeypatch.setattr(module, "MAX_MEGABYTES", (size - 1) / 1e6)
    write_submission(tmp_path / "large.pkl", submission)
    assert len(told) == 1
    assert "large.pkl" in told[0]
    assert "float16" in told[0]


def test_files_that_run_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"results": Attack(os.mkdir, "attacked")}))
    with pytest.raises(SubmissionError, match=r"not a readable file of predictions .*mkdir"):
        read_submission(path)
    assert not Path("attacked").exists()
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(SubmissionError, match="expected a dictionary by frame, found list"):
        read_submission(path)
    with pytest.raises(SubmissionError, match="does not exist"):
        read_submission(tmp_path / "none.pkl")


def test_results_that_are_no_dictionary_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.pkl"
    path.write_bytes(pickle.dumps({"results": [1]}))
    with pytest.raises(SubmissionError, match=r"predictions\.pkl: expected a dictionary by frame under 'results'"):
        read_submission(path)
