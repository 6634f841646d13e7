"""`Objects` files, the official form of predictions and ground truths, as arrays and back.

Boxes are x, y, z of the centre, length, width, height, heading: vehicle frame, metres, radians.

Shapes: N objects.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from bev.datasets.waymo.messages import enum_values, message_class
from bev.errors import InputError

BOX_FIELDS = ("center_x", "center_y", "center_z", "length", "width", "height", "heading")
LEVEL_2_MAX_POINTS = 5
"""Objects with at most so many LiDAR points are of level 2 unless a human said otherwise."""


class ObjectsFileError(InputError):
    """A file that doesn't hold objects, or objects that can't be evaluated; the message says which."""


def read_objects(path: str | os.PathLike) -> Any:
    """Reads an `Objects` message from a file.

    Raises:
        ObjectsFileError: It is empty, holds something else, or its end is missing.
        OSError: It can't be read.
    """
    data = Path(path).read_bytes()
    if not data:
        raise ObjectsFileError(f"{path}: an empty file, without any object; write it again")
    try:
        return message_class("Objects").FromString(data)
    except DecodeError as error:
        raise ObjectsFileError(
            f"{path}: not an Objects message ({error}); predictions and ground truths are its binary serialisation"
        ) from error


class FrameCodes:
    """Numbers for frames, in the order in which they are met; predictions and ground truths must share one instance.

    What tells frames apart are segment, camera (none in the camera-only challenge) and time.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, int, int], int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def keys(self) -> list[tuple[str, int, int]]:
        """Segment, camera and time in microseconds of each frame, in the order of the numbers."""
        return list(self._codes)

    def of(self, objects: Sequence[Any]) -> np.ndarray:
        """(N,) int64 number of each object's frame."""
        keys = ((entry.context_name, entry.camera_name, entry.frame_timestamp_micros) for entry in objects)
        codes = self._codes
        return np.fromiter((codes.setdefault(key, len(codes)) for key in keys), np.int64, len(objects))


def rows_by_frame(frames: np.ndarray, count: int) -> list[np.ndarray]:
    """The rows that belong to each of so many frames, in their order, by the number (N,) of each row's frame."""
    order = np.argsort(frames, kind="stable")
    borders = np.searchsorted(frames[order], np.arange(count + 1))
    return [order[begin:end] for begin, end in itertools.pairwise(borders)]


def prediction_arrays(objects: Sequence[Any], frames: FrameCodes, source: str = "predictions") -> dict[str, np.ndarray]:
    """Predictions as the metrics take them.

    Args:
        objects: `Object` messages.
        frames: Numbers of the frames met so far; new ones are added.
        source: What an error calls them.

    Returns:
        box (N, 7) float64; type, score, nlz and frame, each (N,).

    Raises:
        ObjectsFileError: An object has no type.
    """
    number = len(objects)
    return {
        "box": _boxes(objects, "box"),
        "type": _types(objects, source),
        "score": np.fromiter((entry.score for entry in objects), np.float32, number),
        "nlz": np.fromiter((entry.overlap_with_nlz for entry in objects), bool, number),
        "frame": frames.of(objects),
    }


def challenge_ground_truths(
    objects: Sequence[Any], frames: FrameCodes, source: str = "ground truths"
) -> dict[str, np.ndarray]:
    """Ground truths of the camera-only challenge: what a camera sees, where the camera saw it.

    Objects without points of the top LiDAR or without a most visible camera don't count. Boxes are `camera_synced_box`.

    Args:
        objects: `Object` messages.
        frames: Numbers of the frames met so far; new ones are added.
        source: What an error calls them.

    Returns:
        box (N, 7) float64; type, diff (1 or 2), camera (1 to 5) and frame, each (N,).

    Raises:
        ObjectsFileError: An object has no type, or names a camera that doesn't exist.
    """
    kept = [
        entry
        for entry in objects
        if entry.object.num_top_lidar_points_in_box > 0 and entry.object.most_visible_camera_name
    ]
    cameras = enum_values("CameraName.Name")
    for entry in kept:
        name = entry.object.most_visible_camera_name
        if name not in cameras:
            raise ObjectsFileError(f"{source}: {_place(entry)}: most_visible_camera_name is {name!r}, no camera")
    return {
        "box": _boxes(kept, "camera_synced_box"),
        "type": _types(kept, source),
        "diff": _levels(kept, "num_top_lidar_points_in_box"),
        "camera": np.fromiter((cameras[entry.object.most_visible_camera_name] for entry in kept), np.int64, len(kept)),
        "frame": frames.of(kept),
    }


def lidar_ground_truths(
    objects: Sequence[Any], frames: FrameCodes, source: str = "ground truths"
) -> dict[str, np.ndarray]:
    """Ground truths of the plain 3D metrics: objects with LiDAR points, where the LiDAR saw them.

    Args:
        objects: `Object` messages.
        frames: Numbers of the frames met so far; new ones are added.
        source: What an error calls them.

    Returns:
        box (N, 7) float64; type, diff (1 or 2) and frame, each (N,).

    Raises:
        ObjectsFileError: An object has no type.
    """
    kept = [entry for entry in objects if entry.object.num_lidar_points_in_box > 0]
    return {
        "box": _boxes(kept, "box"),
        "type": _types(kept, source),
        "diff": _levels(kept, "num_lidar_points_in_box"),
        "frame": frames.of(kept),
    }


def ground_truth_arrays(
    sources: Sequence[tuple[str, Sequence[Any]]], frames: FrameCodes, metric: str
) -> dict[str, np.ndarray]:
    """What a metric compares predictions with, of all sources one after the other.

    Args:
        sources: What an error calls each of them, such as its file, and its `Object` messages.
        frames: Numbers of the frames met so far; new ones are added.
        metric: 'let' for `challenge_ground_truths`, '3d' for `lidar_ground_truths`.

    Raises:
        ObjectsFileError: See those two; or there are objects of which none counts.
    """
    arrays_of = {"let": challenge_ground_truths, "3d": lidar_ground_truths}[metric]
    parts = [arrays_of(objects, frames, name) for name, objects in sources]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    number = sum(len(objects) for _, objects in sources)
    if number and not len(arrays["type"]):
        raise ObjectsFileError(
            f"{', '.join(name for name, _ in sources)}: none of {number} objects has points of the LiDAR"
            + (" and a most visible camera, which releases before 1.3.2 lack" if metric == "let" else "")
            + "; there is nothing to evaluate against"
        )
    return arrays


def objects_from_arrays(arrays: Mapping[str, np.ndarray], contexts: Sequence[str], timestamps: Sequence[int]) -> Any:
    """An `Objects` message of predictions.

    `camera_name` stays unset: it is part of the frame's key, and the camera-only challenge has none.

    Args:
        arrays: box (N, 7), type (N,), score (N,).
        contexts: N names of segments.
        timestamps: N times, microseconds.
    """
    message = message_class("Objects")()
    rows = zip(arrays["box"], arrays["type"], arrays["score"], contexts, timestamps, strict=True)
    for box, kind, score, context, timestamp in rows:
        entry = message.objects.add(score=float(score), context_name=context, frame_timestamp_micros=int(timestamp))
        entry.object.type = int(kind)
        for field, value in zip(BOX_FIELDS, box, strict=True):
            setattr(entry.object.box, field, float(value))
    return message


def _boxes(objects: Sequence[Any], which: str) -> np.ndarray:
    boxes = (getattr(entry.object, which) for entry in objects)
    rows = (
        (box.center_x, box.center_y, box.center_z, box.length, box.width, box.height, box.heading) for box in boxes
    )
    return np.fromiter(rows, np.dtype((np.float64, len(BOX_FIELDS))), len(objects))


def _types(objects: Sequence[Any], source: str) -> np.ndarray:
    types = np.fromiter((entry.object.type for entry in objects), np.int64, len(objects))
    if (types == 0).any():
        row = int((types == 0).argmax())
        raise ObjectsFileError(f"{source}: object {row}, in {_place(objects[row])}, has no type")
    return types


def _levels(objects: Sequence[Any], points: str) -> np.ndarray:
    """The level that a human gave, else by the number of LiDAR points."""
    levels = (
        entry.object.detection_difficulty_level or (2 if getattr(entry.object, points) <= LEVEL_2_MAX_POINTS else 1)
        for entry in objects
    )
    return np.fromiter(levels, np.int64, len(objects))


def _place(entry: Any) -> str:
    return f"segment {entry.context_name!r} at {entry.frame_timestamp_micros} us"
