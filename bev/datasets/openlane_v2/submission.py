"""Predictions in the form that the OpenLane-V2 challenges take, and a check of them before the upload.

A submission is a pickle of plain values and arrays: who made it, and under `results` the predictions of each frame by
(split, segment, timestamp). The challenge of 2023 takes centrelines, that of 2024 lane segments and areas; which of
the two it is shows in the predictions.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from bev.datasets.atomic import atomic_write
from bev.datasets.index_io import IndexFormatError, read_plain_pickle
from bev.datasets.openlane_v2.sources import list_segments
from bev.datasets.openlane_v2.submission_check import Layout, frame_problems, layout_of, metadata_problems
from bev.datasets.submission_errors import SubmissionError, refuse
from bev.datasets.text_files import shorten

MAX_MEGABYTES = 500
"""What the servers take."""

DTYPES = ("float32", "float16")


Identifier = tuple[str, str, str]


def identifier_of(token: Any) -> Identifier:
    """(split, segment, timestamp) of a token, which may be the same joined by slashes.

    Raises:
        SubmissionError: It is neither.
    """
    parts = token.split("/") if isinstance(token, str) else token
    if isinstance(parts, (tuple, list)) and len(parts) == 3 and all(isinstance(part, str) for part in parts):
        return parts[0], parts[1], parts[2]
    raise SubmissionError(f"frame {token!r}: expected (split, segment, timestamp), or the three joined by '/'")


def inner(frame: Any, key: str = "predictions") -> Any:
    """What a frame holds under a key among its other data; the frame itself where it is bare."""
    return frame[key] if isinstance(frame, Mapping) and key in frame else frame


def predictions_by_frame(content: Mapping[Any, Any]) -> dict[Identifier, dict[str, Any]]:
    """The predictions of a file, bare.

    Args:
        content: Predictions by token, each bare or as `{"predictions": ...}`, or a submission, which has them under
            `results`.

    Raises:
        SubmissionError: A token is none, or the predictions of a frame are no dictionary.
    """
    found = {identifier_of(token): inner(frame) for token, frame in content.get("results", content).items()}
    for identifier, frame in found.items():
        if not isinstance(frame, dict):
            raise SubmissionError(f"frame {'/'.join(identifier)}: expected a dictionary, found {shorten(frame)}")
    return found


def split_identifiers(path: str | os.PathLike, split: str) -> list[Identifier]:
    """Frames of a split in the devkit's list `data_dict_subset_*.json`, see `list_segments`.

    Raises:
        AnnotationError: The file is missing or something else.
        SubmissionError: It has no such split.
    """
    listed = list_segments(path)
    if split not in listed:
        raise SubmissionError(f"{path}: no split {split!r}, only {', '.join(listed)}")
    return [(split, segment.name_in_split, time) for segment in listed[split] for time in segment.timestamps]


def build_submission(metadata: Mapping[str, Any], content: Mapping[Any, Any], dtype: str = "float32") -> dict:
    """The submission, with arrays of one precision and nothing but what the server reads.

    Half precision halves the file. It moves points 50 m away by up to 16 mm, and edges less than 0.00024 above the
    confidence 0.5 no longer count. Boxes of traffic elements stay float32: in half precision the areas that the
    official evaluation computes would overflow beyond 255 x 255 pixels.

    Args:
        metadata: `method`, `authors` and so on, under the official names.
        content: See `predictions_by_frame`; lists of instances and adjacency matrices of each frame.
        dtype: "float32" or "float16".

    Raises:
        SubmissionError: A token, or something in a frame, cannot be converted.
    """
    if dtype not in DTYPES:
        raise SubmissionError(f"dtype must be one of {', '.join(DTYPES)}, found {dtype!r}")
    frames = {}
    for identifier, predictions in predictions_by_frame(content).items():
        try:
            frames[identifier] = {"predictions": _converted(predictions, layout_of(predictions), np.dtype(dtype))}
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise SubmissionError(f"frame {'/'.join(identifier)}: {type(error).__name__}: {error}") from error
    return {**metadata, "results": frames}


def write_submission(
    path: str | os.PathLike, submission: Mapping[str, Any], identifiers: Collection[Identifier] | None = None
) -> int:
    """Checks a submission and writes it atomically; warns where the file is too large for the servers.

    Args:
        path: The file, usually `*.pkl`.
        submission: See `build_submission`.
        identifiers: The split's frames; None takes those that are there for all.

    Returns:
        Bytes of the file.

    Raises:
        OSError: It could not be written.
        SubmissionError: See `validate_submission`.
    """
    validate_submission(submission, identifiers, path)
    with atomic_write(path) as file:
        pickle.dump(dict(submission), file, protocol=4)
    size = Path(path).stat().st_size
    if size > MAX_MEGABYTES * 1e6:
        advice = f"the servers take {MAX_MEGABYTES} MB; write it in float16, or predict fewer lanes"
        print_log(f"{path}: {size / 1e6:.0f} MB, but {advice}", logger="current", level=logging.WARNING)
    return size


def read_submission(path: str | os.PathLike) -> dict:
    """Reads a submission, or a file of predictions by token; what is in it runs no code.

    Raises:
        SubmissionError: It is missing, damaged, or asks for other classes than builtins and arrays.
    """
    try:
        content = read_plain_pickle(path, "file of predictions", "pickle.dump({token: predictions}, file)")
    except (FileNotFoundError, IndexFormatError) as error:
        raise SubmissionError(str(error)) from error
    if not isinstance(content, dict):
        raise SubmissionError(f"{path}: expected a dictionary by frame, found {type(content).__name__}")
    if not isinstance(content.get("results", content), dict):
        raise SubmissionError(f"{path}: expected a dictionary by frame under 'results'")
    return content


def validate_submission(
    submission: Any,
    identifiers: Collection[Identifier] | None = None,
    source: str | os.PathLike = "submission",
) -> int:
    """Checks what the official checker does, and that frames are complete and all numbers finite.

    Args:
        submission: What the file holds.
        identifiers: The split's frames; each must be there, and no other. None takes any.
        source: What the message calls the submission.

    Returns:
        Number of frames.

    Raises:
        SubmissionError: At least one problem; the message lists the first few and where they are.
    """
    refuse(_problems(submission, identifiers), f"{source} is not a valid OpenLane-V2 submission")
    return len(submission["results"])


def _problems(submission: Any, identifiers: Collection[Identifier] | None) -> list[str]:
    results = submission.get("results") if isinstance(submission, Mapping) else None
    if not isinstance(results, Mapping) or not results:
        return ["expected a dictionary with predictions of at least one frame under 'results'"]
    first = next(iter(results.values()))
    layout = layout_of(first.get("predictions") if isinstance(first, Mapping) else None)
    problems = list(metadata_problems(submission, layout))
    if identifiers is not None:
        missing, unknown = set(identifiers) - results.keys(), results.keys() - set(identifiers)
        if missing:
            example = "/".join(min(missing))
            problems.append(f"{len(missing)} of {len(identifiers)} frames of the split are missing, such as {example}")
        if unknown:
            problems.append(f"{len(unknown)} frames are not of the split, such as {min(map(str, unknown))}")
    for identifier, frame in results.items():
        try:
            where = "/".join(identifier_of(identifier)) if isinstance(identifier, tuple) else ""
        except SubmissionError:
            where = ""
        if not where:
            problems.append(f"frame {identifier!r}: the key must be a tuple (split, segment, timestamp) of texts")
            continue
        problems += [f"frame {where}: {problem}" for problem in frame_problems(frame, layout)]
    return problems


def _converted(predictions: Mapping[str, Any], layout: Layout, dtype: np.dtype) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    for kind, (lines, numbers) in layout.instances.items():
        precision = np.dtype(np.float32) if kind == "traffic_element" else dtype
        converted[kind] = [
            {
                "id": instance["id"],
                **{key: np.asarray(instance[key], dtype=precision) for key in lines},
                **{key: int(instance[key]) for key in numbers},
                "confidence": float(instance["confidence"]),
            }
            for instance in predictions[kind]
        ]
    for key, (rows, columns) in layout.matrices.items():
        matrix = np.asarray(predictions[key], dtype=dtype)
        shape = len(converted[rows]), len(converted[columns])
        converted[key] = matrix.reshape(shape) if matrix.size == 0 == shape[0] * shape[1] else matrix
    return converted
