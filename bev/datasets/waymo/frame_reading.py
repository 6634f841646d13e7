"""One record as the index needs it: the small fields parsed, images and LiDAR left where they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import google_crc32c
import numpy as np
from google.protobuf.message import DecodeError

from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.messages import enum_values, message_class
from bev.datasets.waymo.objects import BOX_FIELDS
from bev.datasets.waymo.segment_assembly import CameraEntry, Context, FrameEntry, ImageEntry, object_columns, pose_of
from bev.datasets.waymo.tfrecord import HEADER
from bev.datasets.waymo.wire import fields

CONTEXT, TIMESTAMP, POSE, IMAGES, LABELS, ZONES = 1, 2, 3, 4, 6, 7
JPEG = 2
_KEPT = (CONTEXT, TIMESTAMP, POSE, LABELS, ZONES)


def read_frame(data: bytes, offset: int, where: str) -> tuple[Any, FrameEntry]:
    """Reads a record.

    Args:
        data: A serialised `Frame`.
        offset: Where its record begins in the file.
        where: What errors call it: file and offset.

    Returns:
        Its `Context` message, and the frame.

    Raises:
        DecodeError: It is none.
        CalibrationError: A pose can't be right.
    """
    kept, images = [], {}
    for number, tag, begin, end in fields(data):
        if number in _KEPT:
            kept.append(data[tag:end])
        elif number == IMAGES:
            camera, image = _read_image(data, begin, end, offset + HEADER.size, where)
            if image is not None:
                images[camera] = image
    message = message_class("Frame").FromString(b"".join(kept))
    if not message.context.name or not message.timestamp_micros:
        raise DecodeError("a frame has a segment and a time, this has not")
    global_T_vehicle = pose_of(message.pose.transform, f"{where}, pose of the vehicle")
    labels = message.laser_labels
    frame = FrameEntry(
        timestamp=message.timestamp_micros,
        global_T_vehicle=global_T_vehicle,
        images=images,
        objects=_columns(labels, global_T_vehicle, where),
        track_ids=[label.id for label in labels],
        zones=[np.array([zone.x, zone.y], dtype=np.float64).T for zone in message.no_label_zones],
    )
    return message.context, frame


def read_context(message: Any, where: str) -> Context:
    """What a `Context` message says of its segment.

    Raises:
        CalibrationError: The pose of a camera can't be right.
    """
    cameras = [
        CameraEntry(
            camera.name,
            np.array(camera.intrinsic),
            pose_of(camera.extrinsic.transform, f"{where}, extrinsic of camera {camera.name}"),
            (camera.height, camera.width),
            camera.rolling_shutter_direction,
        )
        for camera in message.camera_calibrations
    ]
    stats = message.stats
    return Context(message.name, stats.time_of_day, stats.location, stats.weather, cameras)


def _read_image(data: bytes, begin: int, end: int, base: int, where: str) -> tuple[int, ImageEntry | None]:
    """Camera, and the message around a JPEG, which isn't copied into it; None for one without a JPEG.

    `base` is the place of `data` in the file.
    """
    rest, start, stop = [], begin, begin
    for number, tag, first, last in fields(data, begin, end):
        if number == JPEG:
            start, stop = first, last
        else:
            rest.append(data[tag:last])
    message = message_class("CameraImage").FromString(b"".join(rest))
    if start == stop:
        return message.name, None
    pose = pose_of(message.pose.transform, f"{where}, pose of camera {message.name}")
    crc = google_crc32c.value(data[start:stop])
    return message.name, ImageEntry(base + start, stop - start, crc, message.pose_timestamp, pose)


def _columns(labels: Iterable[Any], global_T_vehicle: np.ndarray, where: str) -> dict[str, np.ndarray]:
    """Labels as columns of `Segment`."""
    labels = list(labels)
    speeds = np.array([(m.speed_x, m.speed_y, m.speed_z) for m in (label.metadata for label in labels)]).reshape(-1, 3)
    return object_columns(
        _boxes([label.box for label in labels]),
        _boxes([label.camera_synced_box for label in labels]),
        speeds,
        global_T_vehicle,
        types=np.array([label.type for label in labels], dtype=np.int64),
        most_visible=np.array([_camera_number(label, where) for label in labels], dtype=np.int64),
        levels=np.array([label.detection_difficulty_level for label in labels], dtype=np.int64),
        tracking_levels=np.array([label.tracking_difficulty_level for label in labels], dtype=np.int64),
        lidar_points=np.array([label.num_lidar_points_in_box for label in labels], dtype=np.int64),
        top_points=np.array([label.num_top_lidar_points_in_box for label in labels], dtype=np.int64),
    )


def _boxes(boxes: list[Any]) -> np.ndarray:
    """(M, 7) float64 from `Label.Box` messages."""
    return np.array([[getattr(box, name) for name in BOX_FIELDS] for box in boxes], dtype=np.float64).reshape(-1, 7)


def _camera_number(label: Any, where: str) -> int:
    name = label.most_visible_camera_name
    if name and name not in CAMERAS:
        raise DecodeError(f"{where}: object {label.id!r} is most visible in {name!r}, which is no camera")
    return enum_values("CameraName.Name")[name] if name else 0
