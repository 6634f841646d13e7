"""One record as the index needs it: the small fields parsed, images and LiDAR left where they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from google.protobuf.message import DecodeError

from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.messages import enum_values, message_class
from bev.datasets.waymo.objects import BOX_FIELDS
from bev.datasets.waymo.wire import fields
from bev.geometry import CalibrationError, check_pose

CONTEXT, TIMESTAMP, POSE, IMAGES, LABELS, ZONES = 1, 2, 3, 4, 6, 7
JPEG = 2
_KEPT = (CONTEXT, TIMESTAMP, POSE, LABELS, ZONES)

OBJECT_COLUMNS = (
    "centres", "sizes", "headings", "synced_centres", "synced_headings", "velocities", "types", "most_visible",
    "levels", "tracking_levels", "lidar_points", "top_points",
)  # fmt: skip


@dataclass(frozen=True)
class ImageEntry:
    """An image of a frame: its message without the JPEG, and where that lies in the record."""

    message: Any
    start: int
    length: int
    crc: int


@dataclass(frozen=True)
class FrameEntry:
    """What the index keeps of a frame.

    Attributes:
        message: `Frame` with context, time, pose, labels and zones only.
        images: By number of `CameraName`.
        global_T_vehicle: (4, 4) float64.
        objects: Columns of `Segment` with a row per object, see `OBJECT_COLUMNS`.
        track_ids: Of each object.
    """

    message: Any
    images: dict[int, ImageEntry]
    global_T_vehicle: np.ndarray
    objects: dict[str, np.ndarray]
    track_ids: list[str]


def read_frame(data: bytes, where: str) -> FrameEntry:
    """Reads a record.

    Args:
        data: A serialised `Frame`.
        where: What errors call it: file and offset.

    Raises:
        DecodeError: It is none.
        CalibrationError: A pose can't be right.
    """
    kept, images = [], {}
    for number, tag, begin, end in fields(data):
        if number in _KEPT:
            kept.append(data[tag:end])
        elif number == IMAGES:
            image = _read_image(data, begin, end)
            images[image.message.name] = image
    message = message_class("Frame").FromString(b"".join(kept))
    if not message.context.name or not message.timestamp_micros:
        raise DecodeError("a frame has a segment and a time, this has not")
    global_T_vehicle = matrix(message.pose, f"{where}, pose of the vehicle")
    labels = message.laser_labels
    return FrameEntry(
        message, images, global_T_vehicle, _columns(labels, global_T_vehicle, where), [label.id for label in labels]
    )


def matrix(transform: Any, where: str) -> np.ndarray:
    """A `Transform` as a pose (4, 4), float64, checked.

    Raises:
        CalibrationError: It isn't a rigid transform.
    """
    values = np.array(transform.transform, dtype=np.float64)
    if values.shape != (16,):
        raise CalibrationError(f"{where}: a transform has 16 numbers, found {len(values)}")
    pose = values.reshape(4, 4)
    check_pose(pose, where)
    return pose


def _read_image(data: bytes, begin: int, end: int) -> ImageEntry:
    """The message around a JPEG, which isn't copied into it."""
    rest, start, stop = [], begin, begin
    for number, tag, first, last in fields(data, begin, end):
        if number == JPEG:
            start, stop = first, last
        else:
            rest.append(data[tag:last])
    message = message_class("CameraImage").FromString(b"".join(rest))
    return ImageEntry(message, start, stop - start, google_crc32c.value(data[start:stop]))


def _columns(labels: Iterable[Any], global_T_vehicle: np.ndarray, where: str) -> dict[str, np.ndarray]:
    """Labels as columns of `Segment`."""
    labels = list(labels)
    boxes = _boxes([label.box for label in labels])
    cameras = np.array([_camera_number(label, where) for label in labels], dtype=np.uint8)
    # Where no camera sees the object the field may be there, but empty.
    synced = _boxes([label.camera_synced_box for label in labels])
    synced[cameras == 0] = np.nan
    speeds = np.array([(m.speed_x, m.speed_y, m.speed_z) for m in (label.metadata for label in labels)]).reshape(-1, 3)
    return {
        "centres": boxes[:, :3].astype(np.float32),
        "sizes": boxes[:, 3:6].astype(np.float32),
        "headings": boxes[:, 6].astype(np.float32),
        "synced_centres": synced[:, :3].astype(np.float32),
        "synced_headings": synced[:, 6].astype(np.float32),
        "velocities": (speeds @ global_T_vehicle[:3, :3])[:, :2].astype(np.float32),  # the messages' are global
        "types": np.array([label.type for label in labels], dtype=np.uint8),
        "most_visible": cameras,
        "levels": np.array([label.detection_difficulty_level for label in labels], dtype=np.uint8),
        "tracking_levels": np.array([label.tracking_difficulty_level for label in labels], dtype=np.uint8),
        "lidar_points": np.array([label.num_lidar_points_in_box for label in labels], dtype=np.int32),
        "top_points": np.array([label.num_top_lidar_points_in_box for label in labels], dtype=np.int32),
    }


def _boxes(boxes: list[Any]) -> np.ndarray:
    """(M, 7) float64 from `Label.Box` messages."""
    return np.array([[getattr(box, name) for name in BOX_FIELDS] for box in boxes], dtype=np.float64).reshape(-1, 7)


def _camera_number(label: Any, where: str) -> int:
    name = label.most_visible_camera_name
    if name and name not in CAMERAS:
        raise DecodeError(f"{where}: object {label.id!r} is most visible in {name!r}, which is no camera")
    return enum_values("CameraName.Name")[name] if name else 0
