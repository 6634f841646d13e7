"""The index of one segment, from its files in the Parquet layout (version 2 of the data set).

What the layout doesn't have: no-label zones. The rest is what the records of version 1 hold.

Shapes: R rows of a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bev.datasets.parquet_files import ParquetError
from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.parquet_columns import SEGMENT, place_images, read_columns
from bev.datasets.waymo.segment import Segment, SegmentError
from bev.datasets.waymo.segment_assembly import (
    CameraEntry,
    Context,
    FrameEntry,
    ImageEntry,
    assemble,
    object_columns,
    pose_of,
)

TIME, CAMERA, OBJECT = "key.frame_timestamp_micros", "key.camera_name", "key.laser_object_id"
IMAGES = "camera_image"
"""Folder of the component that every segment has a file of."""

CALIBRATION, POSE, LABELS, SYNCED, STATS = (
    "camera_calibration", "vehicle_pose", "lidar_box", "lidar_camera_synced_box", "stats",
)  # fmt: skip
REQUIRED = (IMAGES, CALIBRATION, POSE)
OPTIONAL = (LABELS, SYNCED, STATS)
"""Components that a data set may lack: the challenge's test set has no labels."""

_CENTRE, _SIZE = ("center.x", "center.y", "center.z"), ("size.x", "size.y", "size.z")
_BOX = (*_CENTRE, *_SIZE, "heading")
_INTRINSIC = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
_SPEED = ("speed.x", "speed.y", "speed.z")
_INTEGERS = {
    "types": "type",
    "levels": "difficulty_level.detection",
    "tracking_levels": "difficulty_level.tracking",
    "lidar_points": "num_lidar_points_in_box",
    "top_points": "num_top_lidar_points_in_box",
}
Value = TypeVar("Value")
Columns = dict[str, np.ndarray]


def read_parquet_segment(path: str, name: str, components: Iterable[str]) -> Segment:
    """Reads the files of a segment; images aren't decoded.

    Args:
        path: Local path or URL of its file of images, in a folder `camera_image` beside those of other components.
        name: This path relative to the data root, which the index will hold.
        components: Folders that the data set has.

    Raises:
        ParquetError: A file can't be read, lacks a column, or doesn't fit the others; or pyarrow isn't installed.
        CalibrationError: A pose or intrinsic matrix can't be right.
        SegmentError: There is no frame, or there are several segments.
        FileNotFoundError: A file isn't there.
    """
    folder, _, file = path.rsplit("/", 2)
    files = _SegmentFiles(folder, file, frozenset(components))
    poses = files.read(POSE, "VehiclePoseComponent", [TIME, "world_from_vehicle.transform"])
    if not len(poses[TIME]):
        raise SegmentError(f"{files.path(POSE)}: no frames; download the file again")
    order = np.argsort(poses[TIME], kind="stable")
    times = poses[TIME][order].tolist()
    global_T_vehicle = [
        pose_of(values, f"{files.path(POSE)}, frame {time}")
        for time, values in zip(times, poses["world_from_vehicle.transform"][order], strict=True)
    ]
    images = _images(files, times)
    labels = _labels(files, times)
    frames = [
        FrameEntry(time, pose, images[time], *_objects(labels, labels.rows[time], pose))
        for time, pose in zip(times, global_T_vehicle, strict=True)
    ]
    return assemble(path, name, _context(files, poses[SEGMENT][0]), frames)


@dataclass(frozen=True)
class _SegmentFiles:
    """Where the files of a segment lie: folder of the components, name, and which components there are."""

    folder: str
    file: str
    components: frozenset[str]

    def path(self, component: str) -> str:
        return f"{self.folder}/{component}/{self.file}"

    def read(self, component: str, kind: str, names: list[str]) -> Columns:
        columns = read_columns(self.path(component), kind, names)
        segments = sorted(set(columns[SEGMENT]))
        if len(segments) > 1:
            found = " and ".join(segments[:2])
            raise SegmentError(f"{self.path(component)}: rows of {found}; a file holds one segment")
        return columns


def _context(files: _SegmentFiles, segment: str) -> Context:
    names = [f"intrinsic.{name}" for name in _INTRINSIC]
    others = ["extrinsic.transform", "width", "height", "rolling_shutter_direction"]
    columns = files.read(CALIBRATION, "CameraCalibrationComponent", [CAMERA, *names, *others])
    path = files.path(CALIBRATION)
    intrinsics = np.stack([columns[name] for name in names], axis=1).astype(np.float64)
    cameras = [
        CameraEntry(
            number,
            intrinsics[row],
            pose_of(columns["extrinsic.transform"][row], f"{path}, extrinsic of camera {number}"),
            (int(columns["height"][row]), int(columns["width"][row])),
            int(columns["rolling_shutter_direction"][row]),
        )
        for row, number in enumerate(_camera_numbers(columns[CAMERA], path))
    ]
    return Context(segment, *_stats(files), cameras)


def _stats(files: _SegmentFiles) -> tuple[str, str, str]:
    """Time of day, place and weather of the first frame."""
    if STATS not in files.components:
        return "", "", ""
    names = ["time_of_day", "location", "weather"]
    columns = files.read(STATS, "StatsComponent", [TIME, *names])
    first = int(np.argmin(columns[TIME])) if len(columns[TIME]) else None
    return tuple("" if first is None else str(columns[name][first]) for name in names)  # type: ignore[return-value]


def _images(files: _SegmentFiles, times: list[int]) -> dict[int, dict[int, ImageEntry]]:
    """Images by time and camera."""
    columns = files.read(IMAGES, "CameraImageComponent", [TIME, CAMERA, "pose.transform", "pose_timestamp"])
    path = files.path(IMAGES)
    found: dict[int, dict[int, ImageEntry]] = {time: {} for time in times}
    rows = zip(
        place_images(path), columns[TIME].tolist(), _camera_numbers(columns[CAMERA], path), columns["pose.transform"],
        columns["pose_timestamp"].tolist(), strict=True,
    )  # fmt: skip
    for image, time, camera, transform, pose_time in rows:
        if image.length:
            pose = pose_of(transform, f"{path}, frame {time}, pose of camera {camera}")
            frame = _frame(found, time, path)
            frame[camera] = ImageEntry(image.offset, image.length, image.crc, pose_time, pose, image.row)
    return found


@dataclass(frozen=True)
class _Labels:
    """Labels of all frames.

    Attributes:
        boxes, synced: (R, 7) float64, of the LiDAR, and where the most visible camera sees them.
        speeds: (R, 3), in the global frame.
        integers: (R,) columns of `Segment`.
        ids: (R,).
        rows: Rows by time.
    """

    boxes: np.ndarray
    synced: np.ndarray
    speeds: np.ndarray
    integers: Columns
    ids: np.ndarray
    rows: dict[int, list[int]]


def _labels(files: _SegmentFiles, times: list[int]) -> _Labels:
    rows: dict[int, list[int]] = {time: [] for time in times}
    if LABELS not in files.components:
        integers = {name: np.zeros(0, np.int64) for name in (*_INTEGERS, "most_visible")}
        return _Labels(np.zeros((0, 7)), np.zeros((0, 7)), np.zeros((0, 3)), integers, np.zeros(0, object), rows)
    boxes = [f"box.{name}" for name in _BOX]
    columns = files.read(LABELS, "LiDARBoxComponent", [TIME, OBJECT, *boxes, *_SPEED, *_INTEGERS.values()])
    for row, time in enumerate(columns[TIME].tolist()):
        _frame(rows, time, files.path(LABELS)).append(row)
    integers = {name: columns[column] for name, column in _INTEGERS.items()}
    synced, integers["most_visible"] = _synced(files, columns)
    speeds = _stack(columns, list(_SPEED))
    return _Labels(_stack(columns, boxes), synced, speeds, integers, columns[OBJECT], rows)


def _synced(files: _SegmentFiles, labels: Columns) -> tuple[np.ndarray, np.ndarray]:
    """(R, 7) camera-synced boxes, and (R,) most visible cameras, 0 for labels without."""
    number = len(labels[TIME])
    boxes, cameras = np.full((number, 7), np.nan), np.zeros(number, dtype=np.int64)
    if SYNCED not in files.components:
        return boxes, cameras
    names = [f"camera_synced_box.{name}" for name in _BOX]
    columns = files.read(SYNCED, "LiDARCameraSyncedBoxComponent", [TIME, OBJECT, "most_visible_camera_name", *names])
    keys = zip(labels[TIME].tolist(), labels[OBJECT], strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    try:
        rows = [row_of[key] for key in zip(columns[TIME].tolist(), columns[OBJECT], strict=True)]
    except KeyError as error:
        time, name = error.args[0]
        raise ParquetError(
            f"{files.path(SYNCED)}: object {name!r} of frame {time} is not in {LABELS}; download both files again"
        ) from error
    boxes[rows] = _stack(columns, names)
    cameras[rows] = _camera_numbers(columns["most_visible_camera_name"], files.path(SYNCED))
    return boxes, cameras


def _objects(labels: _Labels, rows: list[int], global_T_vehicle: np.ndarray) -> tuple[Columns, list[str]]:
    """The objects of one frame."""
    integers = {name: values[rows] for name, values in labels.integers.items()}
    columns = object_columns(labels.boxes[rows], labels.synced[rows], labels.speeds[rows], global_T_vehicle, **integers)
    return columns, labels.ids[rows].tolist()


def _frame(frames: dict[int, Value], time: int, path: str) -> Value:
    if time not in frames:
        raise ParquetError(f"{path}: frame {time} is not in {POSE}; download both files again")
    return frames[time]


def _camera_numbers(values: np.ndarray, path: str) -> list[int]:
    """Numbers of `CameraName`: early files have the names."""
    names = ("", *CAMERAS)
    numbers = [names.index(value) if value in names else value for value in values.tolist()]
    wrong = [number for number in numbers if number not in range(len(names))]
    if wrong:
        raise ParquetError(f"{path}: there is no camera {wrong[0]!r}")
    return numbers


def _stack(columns: Columns, names: list[str]) -> np.ndarray:
    """(R, n) float64."""
    return np.stack([columns[name] for name in names], axis=1).astype(np.float64)
