"""Submissions to Waymo's camera-only 3D detection challenge, and a check of them before the upload.

An archive is a gzipped tar file of `Submission` messages. Each of them repeats the method's description and holds a
part of the objects.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import tarfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from bev.datasets.atomic import atomic_write
from bev.datasets.submission_errors import SubmissionError, refuse
from bev.datasets.text_files import read_yaml
from bev.datasets.waymo.messages import enum_values, message_class, parse
from bev.datasets.waymo.objects import BOX_FIELDS

MIN_SCORE = 0.03
"""The official packer leaves lower scores out."""

MIN_SIZE = 1e-6
MAX_NAME_LENGTH = 25
REQUIRED = ("account_name", "unique_method_name", "authors", "affiliation", "description", "method_link")
OPTIONAL = {
    "docker_image_source": "",
    "number_past_frames_exclude_current": 0,
    "number_future_frames_exclude_current": 0,
    "object_types": ["VEHICLE", "PEDESTRIAN", "CYCLIST"],
    "latency_second": -1.0,
}
_LISTS = ("authors", "object_types")


@dataclass(frozen=True)
class SubmissionSummary:
    """What a valid archive holds: shards, objects, and frames that have at least one."""

    shards: int
    objects: int
    frames: int


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a method's description from YAML; optional fields get their defaults.

    Raises:
        SubmissionError: Fields are missing, unknown or of a wrong type; the message names all of them.
        OSError: It can't be read.
    """
    content = read_yaml(path, "write field: value in each line", SubmissionError)
    fields = content if isinstance(content, Mapping) else {}
    problems = [f"{name} is missing" for name in REQUIRED if fields.get(name) in (None, "", [])]
    problems += [f"{name} is not a field" for name in fields if name not in (*REQUIRED, *OPTIONAL)]
    metadata = {**OPTIONAL, **fields}
    problems += [f"{name} must be a list" for name in _LISTS if name in fields and not isinstance(fields[name], list)]
    problems += [f"{name} must hold no lists or objects" for name in fields if _is_nested(fields[name], name in _LISTS)]
    if not problems:
        problems = _header_problems(metadata)
    refuse(problems, f"{path} doesn't describe a submission")
    return metadata


def _is_nested(value: Any, is_list: bool) -> bool:
    """Whether a field has lists or objects where texts and numbers belong: a few lines of YAML make enormous ones."""
    parts = value if is_list and isinstance(value, list) else [value]
    return any(isinstance(part, (list, dict)) for part in parts)


def _header_problems(metadata: Mapping[str, Any]) -> list[str]:
    name, problems = str(metadata["unique_method_name"]), []
    if len(name) > MAX_NAME_LENGTH:
        problems.append(f"unique_method_name has {len(name)} characters, the server takes {MAX_NAME_LENGTH}")
    types = enum_values("Label.Type")
    problems += [f"object_types: {kind} is no type" for kind in metadata["object_types"] if f"TYPE_{kind}" not in types]
    try:
        if not problems:
            _header(metadata)
    except (OverflowError, TypeError, ValueError) as error:
        problems.append(str(error))
    return problems


def _header(metadata: Mapping[str, Any]) -> Any:
    """A `Submission` without objects."""
    fields = dict(metadata)
    types = enum_values("Label.Type")
    kinds = [types[f"TYPE_{kind}"] for kind in fields.pop("object_types")]
    return message_class("Submission")(
        task=enum_values("Submission.Task")["CAMERA_ONLY_DETECTION_3D"],
        sensor_type=enum_values("Submission.SensorType")["CAMERA_ALL"],
        object_types=kinds,
        **fields,
    )


def write_submission(
    objects: Iterable[Any],
    metadata: Mapping[str, Any],
    archive: str | os.PathLike,
    shards: int = 4,
    segments: Collection[str] | None = None,
) -> int:
    """Packs predictions, atomically. Scores below 0.03 are left out, as the official packer does.

    Args:
        objects: `Object` messages: `box` in the vehicle frame at the time at which the most visible camera sees it.
        metadata: As `read_metadata` gives it.
        archive: The .tar.gz file.
        shards: Messages that the objects are dealt to in turn.
        segments: Names of the split's segments; without them, names aren't checked.

    Returns:
        How many objects were left out.

    Raises:
        SubmissionError: An object is none that the server takes, none scores enough, or segments are missing or
            unknown; the message lists the first few.
        OSError: It could not be written; the old file, if any, is untouched.
    """
    if shards < 1:
        raise SubmissionError(f"{shards} shards; at least one is needed")
    parts = [_header(metadata) for _ in range(shards)]
    allowed, problems, kept, weak = set(parts[0].object_types), [], 0, 0
    found: set[str] = set()
    for entry in objects:
        if entry.score < MIN_SCORE:
            weak += 1
            continue
        problem = _object_problem(entry, allowed)
        if problem:
            problems.append(problem)
            continue
        found.add(entry.context_name)
        added = parts[kept % shards].inference_results.objects.add()
        added.CopyFrom(entry)
        box = added.object.box
        box.length, box.width, box.height = (max(size, MIN_SIZE) for size in (box.length, box.width, box.height))
        kept += 1
    if weak and not kept and not problems:
        problems.append(f"none of {weak} objects scores at least {MIN_SCORE}, which the server asks for")
    refuse([*problems, *_segment_problems(found, segments)], "the predictions: not a valid Waymo submission")
    _pack(parts, archive)
    return weak


def _pack(parts: Sequence[Any], archive: str | os.PathLike) -> None:
    """Write messages as the shards of an archive, the same bytes for the same messages."""
    with (
        atomic_write(archive) as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for number, part in enumerate(parts):
            data = part.SerializeToString(deterministic=True)
            member = tarfile.TarInfo(f"submission-{number:05d}-of-{len(parts):05d}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def validate_archive(archive: str | os.PathLike, segments: Collection[str] | None = None) -> SubmissionSummary:
    """Reads an archive back and checks headers and objects.

    Args:
        archive: The .tar.gz file.
        segments: Names of the split's segments; without them, names aren't checked.

    Raises:
        SubmissionError: At least one problem; the message lists the first few.
    """
    problems: list[str] = []
    headers, frames, number = [], set(), 0
    for name, message in _messages(archive):
        number += len(message.inference_results.objects)
        allowed = set(message.object_types)
        for entry in message.inference_results.objects:
            frames.add((entry.context_name, entry.frame_timestamp_micros))
            problem = _object_problem(entry, allowed)
            if problem:
                problems.append(f"{name}: {problem}")
        message.ClearField("inference_results")
        headers.append((name, message))
    if not headers:
        problems.append("it holds no Submission")
    problems += [f"{name}: its header is not that of {headers[0][0]}" for name, m in headers if m != headers[0][1]]
    problems += [f"{name}: not for the camera-only task" for name, m in headers if m.task != 6 or m.sensor_type != 3]
    problems += _segment_problems({context for context, _ in frames}, segments)
    refuse(problems, f"{archive}: not a valid Waymo submission")
    return SubmissionSummary(len(headers), number, len(frames))


def _messages(archive: str | os.PathLike) -> Iterator[tuple[str, Any]]:
    """Names and messages of an archive's members."""
    try:
        with gzip.open(archive) as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None:
                    yield member.name, parse("Submission", file.read())
            while packed.read(1 << 20):  # the checksum stands at the end, which tarfile doesn't read
                pass
    except (OSError, EOFError, zlib.error, tarfile.TarError, DecodeError) as error:
        raise SubmissionError(f"{archive}: not a gzipped tar file of Submission messages ({error})") from error


def _segment_problems(found: set[str], segments: Collection[str] | None) -> list[str]:
    """What is wrong with the names of the segments that have objects."""
    if segments is None:
        return []
    unknown, missing = sorted(found - set(segments)), sorted(set(segments) - found)
    return [f"segment {name} is not of the split" for name in unknown] + [
        f"segment {name} has no objects" for name in missing
    ]


def _object_problem(entry: Any, allowed: Collection[int]) -> str | None:
    """Why the server would refuse or misread an object; None if it would not."""
    where = f"object of segment {entry.context_name!r} at {entry.frame_timestamp_micros} us"
    if not entry.context_name or not entry.frame_timestamp_micros:
        return f"{where}: context_name and frame_timestamp_micros must be set"
    if entry.HasField("camera_name"):
        return f"{where}: camera_name is set; it would belong to another frame than the ground truth"
    if entry.object.type not in allowed:
        return f"{where}: type {entry.object.type} is none of object_types {sorted(allowed)}"
    if not 0 <= entry.score <= 1:
        return f"{where}: score {entry.score} is not in [0, 1]"
    if not all(math.isfinite(getattr(entry.object.box, name)) for name in BOX_FIELDS):
        return f"{where}: its box is not finite"
    return None
