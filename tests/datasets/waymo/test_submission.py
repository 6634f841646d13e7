"""Submissions to the camera-only challenge, written, read back and refused."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bev.datasets.submission_errors import SubmissionError
from bev.datasets.waymo.messages import parse
from bev.datasets.waymo.objects import objects_from_arrays
from bev.datasets.waymo.submission import SubmissionSummary, read_metadata, validate_archive, write_submission

DESCRIPTION = {
    "account_name": "someone@example.org",
    "unique_method_name": "BEV",
    "authors": ["A", "B"],
    "affiliation": "Somewhere",
    "description": "Cameras only.",
    "method_link": "https://example.org",
    "number_past_frames_exclude_current": 3,
}


def metadata(tmp_path: Path, **changes: Any) -> dict:
    content = {name: value for name, value in {**DESCRIPTION, **changes}.items() if value is not None}
    (tmp_path / "method.yaml").write_text(yaml.safe_dump(content))
    return read_metadata(tmp_path / "method.yaml")


def predictions(number: int = 7, score: float = 0.5) -> Any:
    arrays = {"box": np.ones((number, 7)), "type": np.ones(number), "score": np.full(number, score)}
    return objects_from_arrays(arrays, ["segment"] * number, 1 + np.arange(number) // 2).objects


def test_objects_are_dealt_to_shards_that_repeat_the_header(tmp_path: Path) -> None:
    objects = predictions()
    objects[0].score = 0.01
    objects[1].object.box.length = 0.0
    out = tmp_path / "s.tar.gz"
    assert write_submission(objects, metadata(tmp_path), out, shards=3) == 1
    assert validate_archive(out, ["segment"]) == SubmissionSummary(shards=3, objects=6, frames=4)
    with tarfile.open(out) as tar:
        parts = [parse("Submission", tar.extractfile(member).read()) for member in tar]
    assert [len(part.inference_results.objects) for part in parts] == [2, 2, 2]
    for part in parts:
        assert (part.task, part.sensor_type, list(part.object_types)) == (6, 3, [1, 2, 4])
        assert (list(part.authors), part.number_past_frames_exclude_current) == (["A", "B"], 3)
    assert parts[0].inference_results.objects[0].object.box.length == 1e-6


def test_an_archive_without_any_object_is_not_written(tmp_path: Path) -> None:
    out = tmp_path / "s.tar.gz"
    with pytest.raises(SubmissionError, match=r"none of 7 objects scores at least 0\.03"):
        write_submission(predictions(score=0.02), metadata(tmp_path), out)
    assert not out.exists()


def test_the_same_objects_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_submission(predictions(), metadata(tmp_path), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"account_name": None, "authors": []}, "account_name is missing\n  authors is missing"),
        ({"autors": ["A"]}, "autors is not a field"),
        ({"authors": "A"}, "authors must be a list"),
        ({"unique_method_name": "x" * 26}, "has 26 characters"),
        ({"object_types": ["CAR"]}, "CAR is no type"),
        ({"unique_method_name": [["x"]]}, "unique_method_name must hold no lists or objects"),
        ({"object_types": [["CAR"]]}, "object_types must hold no lists or objects"),
        ({"number_past_frames_exclude_current": 10**400}, "method.yaml doesn't describe a submission"),
        ({"latency_second": "fast"}, "method.yaml doesn't describe a submission"),
    ],
)
def test_descriptions_that_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        metadata(tmp_path, **changes)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("score", 1.5, r"score 1.5 is not in \[0, 1\]"),
        ("camera_name", 1, "camera_name is set"),
        ("context_name", "", "context_name and frame_timestamp_micros must be set"),
    ],
)
def test_objects_that_are_refused(tmp_path: Path, field: str, value: Any, message: str) -> None:
    objects = predictions()
    setattr(objects[3], field, value)
    with pytest.raises(SubmissionError, match=f"at 2 us: {message}"):
        write_submission(objects, metadata(tmp_path), tmp_path / "s.tar.gz")
    assert not (tmp_path / "s.tar.gz").exists()


def test_boxes_and_types_that_are_refused(tmp_path: Path) -> None:
    objects = predictions()
    objects[0].object.box.heading = float("nan")
    objects[1].object.type = 3
    with pytest.raises(SubmissionError, match=r"(?s)its box is not finite.*type 3 is none of object_types \[1, 2, 4\]"):
        write_submission(objects, metadata(tmp_path), tmp_path / "s.tar.gz")


def test_archives_that_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "s.tar.gz"
    write_submission(predictions(), metadata(tmp_path), out)
    with pytest.raises(SubmissionError, match=r"(?s)segment segment is not of the split.*segment other has no objects"):
        validate_archive(out, ["other"])
    out.write_bytes(out.read_bytes()[:-20])
    with pytest.raises(SubmissionError, match="not a gzipped tar file"):
        validate_archive(out)


def test_a_submission_needs_a_shard(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="0 shards; at least one"):
        write_submission(predictions(), metadata(tmp_path), tmp_path / "s.tar.gz", shards=0)


def test_an_archive_without_a_message_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz"):
        pass
    with pytest.raises(SubmissionError, match="it holds no Submission"):
        validate_archive(tmp_path / "s.tar.gz")
