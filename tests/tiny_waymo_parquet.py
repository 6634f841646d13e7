"""A release of records written once more in the Parquet layout, with the columns and types of version 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.messages import parse
from bev.datasets.waymo.tfrecord import RecordFile

TRANSFORM = pyarrow.list_(pyarrow.float64(), 16)
BOX = ("center.x", "center.y", "center.z", "size.x", "size.y", "size.z", "heading")
INTRINSIC = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
STATS = ("time_of_day", "location", "weather")
KEYS = {
    "key.segment_context_name": pyarrow.string(),
    "key.frame_timestamp_micros": pyarrow.int64(),
    "key.camera_name": pyarrow.int8(),
    "key.laser_object_id": pyarrow.string(),
}
FLOAT, INTEGER, TEXT = pyarrow.float64(), pyarrow.int64(), pyarrow.string()

Row = dict[str, Any]


def write_parquet_release(records: Path, root: Path, group_rows: int = 4, **options: Any) -> Path:
    """Writes what is in the record files under `records` to Parquet files under `root`, and returns `root`.

    Args:
        records: Root of a release of version 1.
        root: Data root to write to.
        group_rows: Rows of a row group.
        **options: Further arguments of `pyarrow.parquet.write_table`; files aren't compressed by default.
    """
    for path in sorted(records.rglob("*.tfrecord")):
        frames = [parse("Frame", data) for data in RecordFile(path, root / "cache")]
        for folder, (component, types, rows) in components(frames).items():
            target = root / path.parent.relative_to(records) / folder / f"{frames[0].context.name}.parquet"
            write_component(target, component, types, rows, row_group_size=group_rows, **options)
    return root


def write_component(
    path: Path, component: str, types: Mapping[str, Any], rows: Iterable[Row], compression: str = "none", **options: Any
) -> None:
    """Writes rows by the columns' short names; those that no row has are not in the file."""
    rows = list(rows)
    fields = {name: kind for name, kind in KEYS.items() if not rows or name in rows[0]}
    fields |= {f"[{component}].{name}": kind for name, kind in types.items()}
    columns = {field: [row.get(field, row.get(field.partition("].")[2])) for row in rows] for field in fields}
    table = pyarrow.table(columns, schema=pyarrow.schema(list(fields.items())))
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path, compression=compression, **options)


def components(frames: list[Any]) -> dict[str, tuple[str, dict[str, Any], Iterable[Row]]]:
    """Name, columns and rows of each component, by folder."""
    box = dict.fromkeys(BOX, FLOAT)
    counts = ("type", "num_lidar_points_in_box", "num_top_lidar_points_in_box")
    levels = ("difficulty_level.detection", "difficulty_level.tracking")
    return {
        "vehicle_pose": ("VehiclePoseComponent", {"world_from_vehicle.transform": TRANSFORM}, map(pose_row, frames)),
        "stats": ("StatsComponent", dict.fromkeys(STATS, TEXT), map(stats_row, frames)),
        "camera_calibration": (
            "CameraCalibrationComponent",
            {f"intrinsic.{name}": FLOAT for name in INTRINSIC}
            | {"extrinsic.transform": TRANSFORM}
            | dict.fromkeys(("width", "height", "rolling_shutter_direction"), INTEGER),
            calibration_rows(frames[0]),
        ),
        "camera_image": (
            "CameraImageComponent",
            {"image": pyarrow.binary(), "pose.transform": TRANSFORM, "pose_timestamp": FLOAT},
            image_rows(frames),
        ),
        "lidar_box": (
            "LiDARBoxComponent",
            {f"box.{name}": kind for name, kind in box.items()}
            | dict.fromkeys((*counts, *levels), INTEGER)
            | dict.fromkeys(("speed.x", "speed.y", "speed.z"), FLOAT),
            label_rows(frames),
        ),
        "lidar_camera_synced_box": (
            "LiDARCameraSyncedBoxComponent",
            {"most_visible_camera_name": pyarrow.int8()}
            | {f"camera_synced_box.{name}": kind for name, kind in box.items()},
            synced_rows(frames),
        ),
    }


def key_of(frame: Any) -> Row:
    return {"key.segment_context_name": frame.context.name, "key.frame_timestamp_micros": frame.timestamp_micros}


def pose_row(frame: Any) -> Row:
    return key_of(frame) | {"world_from_vehicle.transform": list(frame.pose.transform)}


def stats_row(frame: Any) -> Row:
    return key_of(frame) | {name: getattr(frame.context.stats, name) for name in STATS}


def calibration_rows(frame: Any) -> Iterator[Row]:
    for camera in frame.context.camera_calibrations:
        yield {
            "key.segment_context_name": frame.context.name,
            "key.camera_name": camera.name,
            **{f"intrinsic.{name}": value for name, value in zip(INTRINSIC, camera.intrinsic, strict=True)},
            "extrinsic.transform": list(camera.extrinsic.transform),
            "width": camera.width,
            "height": camera.height,
            "rolling_shutter_direction": camera.rolling_shutter_direction,
        }


def image_rows(frames: list[Any]) -> Iterator[Row]:
    """By camera and then by time, unlike in records."""
    for camera in range(1, 1 + len(CAMERAS)):
        for frame in frames:
            for image in (image for image in frame.images if image.name == camera):
                yield key_of(frame) | {
                    "key.camera_name": camera,
                    "image": image.image,
                    "pose.transform": list(image.pose.transform),
                    "pose_timestamp": image.pose_timestamp,
                }


def label_rows(frames: list[Any]) -> Iterator[Row]:
    for frame in frames:
        for label in frame.laser_labels:
            human = label.HasField("detection_difficulty_level")
            yield key_of(frame) | {
                "key.laser_object_id": label.id,
                **{f"box.{name}": value for name, value in zip(BOX, box_values(label.box), strict=True)},
                "type": label.type,
                "num_lidar_points_in_box": label.num_lidar_points_in_box,
                "num_top_lidar_points_in_box": label.num_top_lidar_points_in_box,
                "difficulty_level.detection": label.detection_difficulty_level if human else None,
                "difficulty_level.tracking": label.tracking_difficulty_level if human else None,
                **{f"speed.{axis}": getattr(label.metadata, f"speed_{axis}") for axis in "xyz"},
            }


def synced_rows(frames: list[Any]) -> Iterator[Row]:
    """Only of objects that a camera sees, as the official converter has it."""
    for frame in frames:
        for label in (label for label in frame.laser_labels if label.most_visible_camera_name):
            values = zip(BOX, box_values(label.camera_synced_box), strict=True)
            yield key_of(frame) | {
                "key.laser_object_id": label.id,
                "most_visible_camera_name": 1 + CAMERAS.index(label.most_visible_camera_name),
                **{f"camera_synced_box.{name}": value for name, value in values},
            }


def box_values(box: Any) -> tuple[float, ...]:
    return box.center_x, box.center_y, box.center_z, box.length, box.width, box.height, box.heading
