"""Predictions in the form that the nuScenes detection challenge takes, and a check of it before the upload."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bev.datasets.atomic import atomic_write
from bev.datasets.nuscenes.classes import ATTRIBUTES, CLASSES, default_attribute
from bev.datasets.submission_errors import SubmissionError, is_finite, refuse
from bev.datasets.text_files import read_json, shorten, write_json
from bev.geometry import inverse_transform_boxes, invert_pose
from bev.structures.boxes import gravity_array

if TYPE_CHECKING:
    import torch
    from mmdet3d.structures import LiDARInstance3DBoxes

MAX_BOXES_PER_SAMPLE = 500
CAMERA_ONLY = {"use_camera": True, "use_lidar": False, "use_radar": False, "use_map": False, "use_external": False}

_VECTOR_LENGTHS = {"translation": 3, "size": 3, "rotation": 4, "velocity": 2}


def format_boxes(
    boxes: LiDARInstance3DBoxes,
    scores: torch.Tensor | np.ndarray,
    labels: torch.Tensor | np.ndarray,
    global_T_bev: np.ndarray,
    sample_token: str,
    attributes: Sequence[str] | None = None,
    classes: Sequence[str] = CLASSES,
) -> list[dict]:
    """One sample's predictions as submission records, best first, at most 500.

    Args:
        boxes: (M, 9) in the sample's bev frame; a velocity that is not finite is submitted as 0.
        scores: (M,) in [0, 1].
        labels: (M,) positions in `classes`.
        global_T_bev: (4, 4).
        sample_token: the sample.
        attributes: M attribute names; by default guessed from class and speed.
        classes: names of the labels.
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    gravity = gravity_array(boxes)
    gravity[:, 7:] = np.nan_to_num(gravity[:, 7:], nan=0.0, posinf=0.0, neginf=0.0)
    level = inverse_transform_boxes(gravity, invert_pose(np.asarray(global_T_bev, dtype=np.float64)))
    records = []
    for i in np.argsort(-scores, kind="stable")[:MAX_BOXES_PER_SAMPLE]:
        name = classes[int(labels[i])]
        attribute = default_attribute(name, math.hypot(*level[i, 7:])) if attributes is None else attributes[i]
        records.append(box_record(level[i], float(scores[i]), name, attribute, sample_token))
    return records


def box_record(box: np.ndarray, score: float, name: str, attribute: str, sample_token: str) -> dict:
    """A submission record of a gravity box (9,) in the global frame."""
    x, y, z, length, width, height, yaw, vx, vy = box.tolist()
    return {
        "sample_token": sample_token,
        "translation": [x, y, z],
        "size": [width, length, height],
        "rotation": [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)],
        "velocity": [vx, vy],
        "detection_name": name,
        "detection_score": score,
        "attribute_name": attribute,
    }


def boxes_of_records(records: Sequence[Mapping]) -> np.ndarray:
    """Gravity boxes (M, 9) in the global frame of the records of one sample; headings are those seen from above."""
    columns = {key: np.array([record[key] for record in records], np.float64) for key in _VECTOR_LENGTHS}
    boxes = np.zeros((len(records), 9))
    if len(records):
        w, x, y, z = columns["rotation"].T
        boxes[:, :3] = columns["translation"]
        boxes[:, 3:6] = columns["size"][:, [1, 0, 2]]
        boxes[:, 6] = np.arctan2(2 * (x * y + w * z), w * w + x * x - y * y - z * z)
        boxes[:, 7:] = columns["velocity"]
    return boxes


def write_submission(
    path: str | os.PathLike, results: Mapping[str, list[dict]], modality: Mapping[str, bool] | None = None
) -> None:
    """Writes `results_nusc.json` atomically.

    Args:
        path: the file.
        results: records of each sample token.
        modality: what the method used; cameras only by default.

    Raises:
        OSError: it could not be written.
        SubmissionError: a number is NaN or infinite, which JSON cannot hold.
    """
    submission = {"meta": {**CAMERA_ONLY, **(modality or {})}, "results": dict(results)}
    try:
        write_json(path, submission, allow_nan=False)
    except ValueError as error:
        problems = (problem for token, records in results.items() for problem in _sample_problems(token, records))
        raise SubmissionError(f"{path} not written: {next(problems, error)}") from error


def zip_submission(path: str | os.PathLike, archive: str | os.PathLike) -> None:
    """Packs a submission for upload, atomically.

    Raises:
        OSError: it could not be written.
    """
    with atomic_write(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(path, arcname="results_nusc.json")


def read_submission(path: str | os.PathLike) -> dict:
    """Reads a submission file.

    Raises:
        SubmissionError: it is missing, not JSON, or lacks the keys 'meta' and 'results'.
    """
    try:
        content = read_json(path, dict, "write it again with tools/test.py", SubmissionError)
    except FileNotFoundError:
        raise SubmissionError(f"{path}: no such file; tools/test.py writes it") from None
    if not all(isinstance(content.get(key), dict) for key in ("meta", "results")):
        raise SubmissionError(
            f"{path}: expected an object with the objects 'meta' and 'results', found {shorten(content)}; "
            "write it again with tools/test.py"
        )
    return content


def check_records(token: str, records: Any, source: str | os.PathLike) -> None:
    """Checks the boxes of one sample as `validate_submission` does.

    Args:
        token: the sample.
        records: its boxes.
        source: what the message calls the submission.

    Raises:
        SubmissionError: one is not what it should be; the message names the first.
    """
    for problem in _sample_problems(token, records):
        raise SubmissionError(f"{source}: {problem}")


def validate_submission(submission: Any, tokens: Collection[str], source: str | os.PathLike = "submission") -> int:
    """Checks what the evaluation server checks, and that all numbers make sense.

    Args:
        submission: the parsed file.
        tokens: the sample tokens of the split; each must be there, and no other.
        source: what the message calls the submission.

    Returns:
        Number of boxes.

    Raises:
        SubmissionError: at least one problem; the message lists the first few with their sample and box.
    """
    refuse(_problems(submission, frozenset(tokens)), f"{source} is not a valid nuScenes submission")
    return sum(len(records) for records in submission["results"].values())


def _problems(submission: Any, tokens: frozenset[str]) -> Iterator[str]:
    if not isinstance(submission, dict) or not isinstance(submission.get("results"), dict):
        yield "expected a JSON object with the keys 'meta' and 'results'"
        return
    meta = submission.get("meta")
    if not isinstance(meta, dict) or not all(isinstance(meta.get(key), bool) for key in CAMERA_ONLY):
        yield f"'meta' must say true or false for each of {', '.join(CAMERA_ONLY)}; found {shorten(meta)}"
    results = submission["results"]
    missing, unknown = tokens - results.keys(), results.keys() - tokens
    if missing:
        yield f"{len(missing)} of {len(tokens)} samples of the split are missing, such as {min(missing)}"
    if unknown:
        yield f"{len(unknown)} samples are not of the split, such as {min(unknown)}"
    for token in sorted(results.keys() & tokens):
        yield from _sample_problems(token, results[token])


def _sample_problems(token: str, records: Any) -> Iterator[str]:
    if not isinstance(records, list):
        yield f"sample {token}: expected a list of boxes, found {type(records).__name__}"
        return
    if len(records) > MAX_BOXES_PER_SAMPLE:
        yield f"sample {token}: {len(records)} boxes, at most {MAX_BOXES_PER_SAMPLE} are allowed"
    for position, record in enumerate(records):
        problem = _record_problem(token, record)
        if problem:
            yield f"sample {token}, box {position}: {problem}"


def _record_problem(token: str, record: Any) -> str | None:
    if not isinstance(record, dict):
        return f"expected an object, found {type(record).__name__}"
    if record.get("sample_token") != token:
        return f"its sample_token is {shorten(record.get('sample_token'))}"
    for key, length in _VECTOR_LENGTHS.items():
        value = record.get(key)
        if not isinstance(value, list) or len(value) != length or not all(is_finite(number) for number in value):
            return f"{key} must be {length} finite numbers, found {shorten(value)}"
    if min(record["size"]) <= 0:
        return f"size must be positive (width, length, height), found {record['size']}"
    if abs(math.hypot(*record["rotation"]) - 1) > 1e-3:
        return f"rotation must be a unit quaternion (w, x, y, z), found {record['rotation']}"
    score = record.get("detection_score")
    if not is_finite(score) or not 0 <= score <= 1:
        return f"detection_score must lie in 0..1, found {shorten(score)}"
    if record.get("detection_name") not in CLASSES:
        return f"unknown detection_name {shorten(record.get('detection_name'))}"
    if record.get("attribute_name") not in (*ATTRIBUTES, ""):
        return f"unknown attribute_name {shorten(record.get('attribute_name'))}"
    return None
