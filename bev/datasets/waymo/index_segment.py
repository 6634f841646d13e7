"""The index of one segment, from its file of records."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from bev.datasets.waymo.frame_reading import OBJECT_COLUMNS, FrameEntry, matrix, read_frame
from bev.datasets.waymo.segment import Segment
from bev.datasets.waymo.tfrecord import HEADER, RecordError, RecordFile
from bev.geometry import CalibrationError, check_intrinsic, pix_T_cam

INTRINSICS = 9


def read_segment(
    path: str, name: str, cache_dir: str | os.PathLike | None = None, skip_damaged: bool = False
) -> Segment:
    """Reads the frames of a file, whose checksums are verified; images aren't decoded.

    Args:
        path: Local path or URL of the file.
        name: Its path relative to the data root, which the index will hold.
        cache_dir: Where the places of its records are kept, see `RecordFile`.
        skip_damaged: Warn of damaged records and leave them out.

    Raises:
        RecordError: A record is damaged or none of `Frame`; the message has file and byte.
        CalibrationError: A pose or intrinsic matrix can't be right.
        ValueError: The file has no frame, or frames of several segments.
    """
    records = RecordFile(path, cache_dir, skip_damaged)
    entries: list[tuple[FrameEntry, int, int]] = []
    for number, data in records.items():
        offset, length = int(records.index.offsets[number]), int(records.index.lengths[number])
        try:
            entries.append((read_frame(data, f"{path}, record at byte {offset}"), offset, length))
        except DecodeError as error:
            problem = f"{path}, record at byte {offset}: not a frame ({error}); download the file again"
            if not skip_damaged:
                raise RecordError(problem) from error
            warnings.warn(f"skipped: {problem}", stacklevel=2)
    if not entries:
        raise ValueError(f"{path}: no frame can be read; remove or replace this file")
    entries.sort(key=lambda entry: entry[0].message.timestamp_micros)
    return _assemble(path, name, entries)


def _assemble(path: str, name: str, entries: Sequence[tuple[FrameEntry, int, int]]) -> Segment:
    frames = [frame for frame, _, _ in entries]
    context = frames[0].message.context
    others = {frame.message.context.name for frame in frames} - {context.name}
    if others:
        raise ValueError(f"{path}: frames of {context.name} and {others.pop()}; a file holds one segment")
    cameras = sorted(context.camera_calibrations, key=lambda camera: camera.name)
    offsets = np.array([offset for _, offset, _ in entries], dtype=np.int64)
    return Segment(
        name=context.name,
        path=name,
        time_of_day=context.stats.time_of_day,
        location=context.stats.location,
        weather=context.stats.weather,
        **_calibration(path, cameras),
        timestamps=np.array([frame.message.timestamp_micros for frame in frames], dtype=np.int64),
        global_T_vehicle=np.stack([frame.global_T_vehicle for frame in frames]),
        record_offsets=offsets,
        record_lengths=np.array([length for _, _, length in entries], dtype=np.int64),
        **_images(path, frames, offsets, [camera.name for camera in cameras]),
        **_objects(frames),
        **_zones(frames),
    )


def _calibration(path: str, cameras: Sequence[Any]) -> dict[str, np.ndarray]:
    for camera in cameras:
        where = f"{path}, calibration of camera {camera.name}"
        if len(camera.intrinsic) != INTRINSICS:
            raise CalibrationError(f"{where}: {INTRINSICS} intrinsic numbers expected, found {len(camera.intrinsic)}")
        check_intrinsic(intrinsic_matrix(np.array(camera.intrinsic)), where)
    poses = [matrix(camera.extrinsic, f"{path}, extrinsic of camera {camera.name}") for camera in cameras]
    return {
        "cameras": np.array([camera.name for camera in cameras], dtype=np.uint8),
        "intrinsics": np.array([list(camera.intrinsic) for camera in cameras]).reshape(-1, INTRINSICS),
        "vehicle_T_camera": np.array(poses).reshape(-1, 4, 4),
        "camera_sizes": np.array([(camera.height, camera.width) for camera in cameras], dtype=np.int32).reshape(-1, 2),
        "readout": np.array([camera.rolling_shutter_direction for camera in cameras], dtype=np.uint8),
    }


def intrinsic_matrix(intrinsic: np.ndarray) -> np.ndarray:
    """(3, 3) pixels, from the first four of Waymo's intrinsic numbers."""
    f_u, f_v, c_u, c_v = intrinsic[:4]
    return np.array([[f_u, 0.0, c_u], [0.0, f_v, c_v], [0.0, 0.0, 1.0]])


# Waymo's camera frame looks along x with y left and z up; pixels count to the right and down along z forward.
OPTICAL_T_CAMERA = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def pix_T_camera(intrinsic: np.ndarray) -> np.ndarray:
    """(4, 4) projection of points in Waymo's camera frame by an ideal lens."""
    return pix_T_cam(intrinsic_matrix(intrinsic)) @ OPTICAL_T_CAMERA


def _images(path: str, frames: Sequence[FrameEntry], offsets: np.ndarray, cameras: Sequence[int]) -> dict[str, Any]:
    shape = (len(frames), len(cameras))
    places, lengths = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    crcs, times = np.zeros(shape, dtype=np.uint32), np.zeros(shape)
    poses = np.tile(np.eye(4), (*shape, 1, 1))
    for t, frame in enumerate(frames):
        for c, camera in enumerate(cameras):
            image = frame.images.get(camera)
            if image is None or not image.length:
                continue
            places[t, c], lengths[t, c] = offsets[t] + HEADER.size + image.start, image.length
            crcs[t, c], times[t, c] = image.crc, image.message.pose_timestamp
            where = f"{path}, record at byte {offsets[t]}, pose of camera {camera}"
            poses[t, c] = matrix(image.message.pose, where)
    return {
        "image_offsets": places,
        "image_lengths": lengths,
        "image_crcs": crcs,
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
    zones = [zone for frame in frames for zone in frame.message.no_label_zones]
    corners = [corner for zone in zones for corner in zip(zone.x, zone.y, strict=True)]
    return {
        "first_zone": firsts([len(frame.message.no_label_zones) for frame in frames]),
        "first_corner": firsts([len(zone.x) for zone in zones]),
        "corners": np.array(corners, dtype=np.float64).reshape(-1, 2),
    }


def firsts(counts: Sequence[int]) -> np.ndarray:
    """(n + 1,) first row of each group in a flat array, and the end."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
