"""Frames as a reader of either layout gives them, put together to a segment of the index.

Shapes: M objects of a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bev.datasets.flat_arrays import firsts
from bev.datasets.waymo.segment import Segment
from bev.geometry import CalibrationError, check_intrinsic, check_pose, pix_T_cam

INTRINSICS = 9
PACKED = -1
"""Place of an image whose bytes don't lie in the file as they are."""

IMAGE_COLUMN = "[CameraImageComponent].image"
"""Where it is then, in a Parquet file."""

OBJECT_COLUMNS = (
    "centres", "sizes", "headings", "synced_centres", "synced_headings", "velocities", "types", "most_visible",
    "levels", "tracking_levels", "lidar_points", "top_points",
)  # fmt: skip


@dataclass(frozen=True)
class ImageEntry:
    """An image of a frame.

    Attributes:
        offset: Place of its JPEG in the file; `PACKED` where that is packed.
        length: Bytes of the JPEG.
        crc: CRC-32C of the JPEG.
        time: Seconds, when the vehicle was at `global_T_vehicle`.
        global_T_vehicle: (4, 4) float64.
        row: Row group and row in it, in a Parquet file.
    """

    offset: int
    length: int
    crc: int
    time: float
    global_T_vehicle: np.ndarray
    row: tuple[int, int] = (-1, -1)


@dataclass(frozen=True)
class CameraEntry:
    """A camera's calibration, with the attributes of `Segment`: its intrinsic numbers, pose, height and width."""

    number: int
    intrinsic: np.ndarray
    vehicle_T_camera: np.ndarray
    size: tuple[int, int]
    readout: int


@dataclass(frozen=True)
class Context:
    """What all frames of a segment share."""

    name: str
    time_of_day: str
    location: str
    weather: str
    cameras: Sequence[CameraEntry]


@dataclass(frozen=True)
class FrameEntry:
    """What the index keeps of a frame.

    Attributes:
        timestamp: Microseconds.
        global_T_vehicle: (4, 4) float64.
        images: By number of `CameraName`.
        objects: Columns of `Segment` with a row per object, see `OBJECT_COLUMNS`.
        track_ids: Of each object.
        zones: Corners (P, 2) of each no-label zone.
    """

    timestamp: int
    global_T_vehicle: np.ndarray
    images: dict[int, ImageEntry]
    objects: dict[str, np.ndarray]
    track_ids: list[str]
    zones: Sequence[np.ndarray] = ()


def pose_of(values: Sequence[float] | np.ndarray, where: str) -> np.ndarray:
    """A `Transform` as a pose (4, 4), float64, checked.

    Raises:
        CalibrationError: It isn't a rigid transform.
    """
    numbers = np.array(values, dtype=np.float64)
    if numbers.shape != (16,):
        raise CalibrationError(f"{where}: a transform has 16 numbers, found {len(numbers)}")
    pose = numbers.reshape(4, 4)
    check_pose(pose, where)
    return pose


def object_columns(
    boxes: np.ndarray, synced: np.ndarray, speeds: np.ndarray, global_T_vehicle: np.ndarray, **others: np.ndarray
) -> dict[str, np.ndarray]:
    """Columns of `Segment` for the objects of one frame.

    Args:
        boxes: (M, 7) float64, the LiDAR's: centre, length, width, height, heading.
        synced: (M, 7), camera-synced; those without a most visible camera are ignored.
        speeds: (M, 3), in the global frame.
        global_T_vehicle: The frame's pose.
        **others: The columns that are integers, (M,).
    """
    synced = np.where(others["most_visible"][:, None] == 0, np.nan, synced)
    kinds = {"lidar_points": np.int32, "top_points": np.int32}
    return {
        "centres": boxes[:, :3].astype(np.float32),
        "sizes": boxes[:, 3:6].astype(np.float32),
        "headings": boxes[:, 6].astype(np.float32),
        "synced_centres": synced[:, :3].astype(np.float32),
        "synced_headings": synced[:, 6].astype(np.float32),
        "velocities": (speeds @ global_T_vehicle[:3, :3])[:, :2].astype(np.float32),
        **{name: values.astype(kinds.get(name, np.uint8)) for name, values in others.items()},
    }


def assemble(path: str, name: str, context: Context, frames: Sequence[FrameEntry]) -> Segment:
    """The segment of some frames.

    Args:
        path: What errors call its file.
        name: The file's path relative to the data root.
        context: Calibration, and what the segment is like.
        frames: In the order of time, at least one.

    Raises:
        CalibrationError: Intrinsic numbers that can't be right.
    """
    cameras = sorted(context.cameras, key=lambda camera: camera.number)
    return Segment(
        name=context.name,
        path=name,
        time_of_day=context.time_of_day,
        location=context.location,
        weather=context.weather,
        **_calibration(path, cameras),
        timestamps=np.array([frame.timestamp for frame in frames], dtype=np.int64),
        global_T_vehicle=np.stack([frame.global_T_vehicle for frame in frames]),
        **_images(frames, [camera.number for camera in cameras]),
        **_objects(frames),
        **_zones(frames),
    )


def intrinsic_matrix(intrinsic: np.ndarray) -> np.ndarray:
    """(3, 3) pixels, from the first four of Waymo's intrinsic numbers."""
    f_u, f_v, c_u, c_v = intrinsic[:4]
    return np.array([[f_u, 0.0, c_u], [0.0, f_v, c_v], [0.0, 0.0, 1.0]])


# Waymo's camera frame looks along x with y left and z up; pixels count to the right and down along z forward.
OPTICAL_T_CAMERA = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def pix_T_camera(intrinsic: np.ndarray) -> np.ndarray:
    """(4, 4) projection of points in Waymo's camera frame by an ideal lens."""
    return pix_T_cam(intrinsic_matrix(intrinsic)) @ OPTICAL_T_CAMERA


def _calibration(path: str, cameras: Sequence[CameraEntry]) -> dict[str, np.ndarray]:
    for camera in cameras:
        where = f"{path}, calibration of camera {camera.number}"
        if len(camera.intrinsic) != INTRINSICS:
            raise CalibrationError(f"{where}: {INTRINSICS} intrinsic numbers expected, found {len(camera.intrinsic)}")
        check_intrinsic(intrinsic_matrix(camera.intrinsic), where)
    return {
        "cameras": np.array([camera.number for camera in cameras], dtype=np.uint8),
        "intrinsics": np.array([camera.intrinsic for camera in cameras]).reshape(-1, INTRINSICS),
        "vehicle_T_camera": np.array([camera.vehicle_T_camera for camera in cameras]).reshape(-1, 4, 4),
        "camera_sizes": np.array([camera.size for camera in cameras], dtype=np.int32).reshape(-1, 2),
        "readout": np.array([camera.readout for camera in cameras], dtype=np.uint8),
    }


def _images(frames: Sequence[FrameEntry], cameras: Sequence[int]) -> dict[str, Any]:
    shape = (len(frames), len(cameras))
    places, lengths = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    crcs, times = np.zeros(shape, dtype=np.uint32), np.zeros(shape)
    rows, poses = np.full((*shape, 2), -1, dtype=np.int32), np.tile(np.eye(4), (*shape, 1, 1))
    for t, frame in enumerate(frames):
        for c, camera in enumerate(cameras):
            image = frame.images.get(camera)
            if image is not None:
                places[t, c], lengths[t, c], crcs[t, c] = image.offset, image.length, image.crc
                times[t, c], poses[t, c], rows[t, c] = image.time, image.global_T_vehicle, image.row
    return {
        "image_offsets": places,
        "image_lengths": lengths,
        "image_crcs": crcs,
        "image_rows": rows,
        "image_times": times,
        "image_global_T_vehicle": poses,
    }


def _objects(frames: Sequence[FrameEntry]) -> dict[str, np.ndarray]:
    ids = [name for frame in frames for name in frame.track_ids]
    track_ids, tracks = np.unique(np.array(ids, dtype=str), return_inverse=True)
    columns = {name: np.concatenate([frame.objects[name] for frame in frames]) for name in OBJECT_COLUMNS}
    return {
        "first_object": firsts([len(frame.track_ids) for frame in frames]),
        **columns,
        "tracks": tracks.astype(np.int32),
        "track_ids": track_ids,
    }


def _zones(frames: Sequence[FrameEntry]) -> dict[str, np.ndarray]:
    zones = [zone for frame in frames for zone in frame.zones]
    return {
        "first_zone": firsts([len(frame.zones) for frame in frames]),
        "first_corner": firsts([len(zone) for zone in zones]),
        "corners": np.concatenate([np.zeros((0, 2)), *zones]),
    }
