"""A segment of the index: about 20 s of driving as a few arrays, with the places of its images in the file.

Shapes: T frames, C cameras, M objects of all frames, Z no-label zones of all frames, P their corners.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bev.datasets.index_io import IndexFormatError
from bev.datasets.npz_files import ArrayFileError, read_arrays
from bev.errors import InputError


class SegmentError(InputError):
    """A file that holds no segment, or several; the message says which and what to do."""


@dataclass(frozen=True)
class Segment:
    """What the index knows of a segment.

    Frame t owns the objects first_object[t]:first_object[t + 1]. Vehicle frame: x forward, y left, z up, metres, origin
    on the ground below the rear axle. Camera frame: x forward along the optical axis, y left, z up.

    Attributes:
        name: Of the segment (`Context.name`).
        path: Of its file, relative to the data root.
        time_of_day, location, weather: What the first frame says.
        cameras: (C,) uint8, numbers of `CameraName`, increasing.
        intrinsics: (C, 9) float64: f_u, f_v, c_u, c_v in pixels, then k1, k2, p1, p2, k3 of the lens (OpenCV's model).
        vehicle_T_camera: (C, 4, 4) float64.
        camera_sizes: (C, 2) int32, height and width in pixels.
        readout: (C,) uint8, direction in which the shutter rolls (`RollingShutterReadOutDirection`).
        timestamps: (T,) int64, microseconds, increasing.
        global_T_vehicle: (T, 4, 4) float64.
        image_offsets: (T, C) int64, place of each JPEG in the file; -1 where it isn't there as it is, or not at all.
        image_lengths: (T, C) int64, bytes; 0 where a frame lacks the camera.
        image_rows: (T, C, 2) int32, row group of a Parquet file and row in it; -1 elsewhere.
        image_crcs: (T, C) uint32, CRC-32C of each JPEG.
        image_times: (T, C) float64, seconds, when the vehicle was at `image_global_T_vehicle`, mid exposure.
        image_global_T_vehicle: (T, C, 4, 4) float64.
        first_object: (T + 1,) int64.
        centres: (M, 3) float32, of the LiDAR's boxes.
        sizes: (M, 3) float32: length, width, height.
        headings: (M,) float32.
        synced_centres: (M, 3) float32, where the most visible camera sees the object (`camera_synced_box`); NaN
            where there is no such camera.
        synced_headings: (M,) float32.
        velocities: (M, 2) float32 in the vehicle frame, metres per second.
        types: (M,) uint8, `Label.Type`.
        most_visible: (M,) uint8, `CameraName`; 0 for none.
        levels, tracking_levels: (M,) uint8, difficulty that a human gave, 1 or 2; 0 for none.
        lidar_points, top_points: (M,) int32, points of all LiDARs and of the top one in the box.
        tracks: (M,) int32, positions in `track_ids`.
        track_ids: (N,) str.
        first_zone: (T + 1,) int64, zones of each frame.
        first_corner: (Z + 1,) int64, corners of each zone.
        corners: (P, 2) float64, x and y in the global frame.
    """

    name: str
    path: str
    time_of_day: str
    location: str
    weather: str
    cameras: np.ndarray
    intrinsics: np.ndarray
    vehicle_T_camera: np.ndarray
    camera_sizes: np.ndarray
    readout: np.ndarray
    timestamps: np.ndarray
    global_T_vehicle: np.ndarray
    image_offsets: np.ndarray
    image_lengths: np.ndarray
    image_crcs: np.ndarray
    image_rows: np.ndarray
    image_times: np.ndarray
    image_global_T_vehicle: np.ndarray
    first_object: np.ndarray
    centres: np.ndarray
    sizes: np.ndarray
    headings: np.ndarray
    synced_centres: np.ndarray
    synced_headings: np.ndarray
    velocities: np.ndarray
    types: np.ndarray
    most_visible: np.ndarray
    levels: np.ndarray
    tracking_levels: np.ndarray
    lidar_points: np.ndarray
    top_points: np.ndarray
    tracks: np.ndarray
    track_ids: np.ndarray
    first_zone: np.ndarray
    first_corner: np.ndarray
    corners: np.ndarray

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def has_image(self) -> np.ndarray:
        """(T, C) bool, whether a frame has an image of the camera."""
        return self.image_lengths > 0

    @property
    def boxes(self) -> np.ndarray:
        """(M, 7) float32 boxes of the LiDAR: centre, length, width, height, heading."""
        return np.concatenate([self.centres, self.sizes, self.headings[:, None]], axis=1)

    @property
    def synced_boxes(self) -> np.ndarray:
        """(M, 7) float32 boxes where the most visible camera sees them; NaN without one."""
        return np.concatenate([self.synced_centres, self.sizes, self.synced_headings[:, None]], axis=1)

    @property
    def frame_of_object(self) -> np.ndarray:
        """(M,) int64."""
        return np.repeat(np.arange(len(self)), np.diff(self.first_object))

    def to_entry(self) -> dict[str, Any]:
        """An entry of the index: names, and the arrays as a compressed .npz file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        packed = io.BytesIO()
        np.savez_compressed(packed, **{name: value for name, value in values.items() if isinstance(value, np.ndarray)})
        return {name: value for name, value in values.items() if isinstance(value, str)} | {"arrays": packed.getvalue()}

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> Segment:
        """The inverse of `to_entry`; what else an older index holds is left out.

        Raises:
            IndexFormatError: The entry is damaged, or of an earlier version.
        """
        values = {name: value for name, value in entry.items() if name != "arrays"}
        try:
            values |= read_arrays(io.BytesIO(entry.get("arrays", b"")))
        except (TypeError, ArrayFileError) as error:
            raise IndexFormatError(
                f"segment {values.get('name')}: damaged arrays in the index ({error}); "
                "build it again with tools/create_data.py waymo"
            ) from error
        known = {field.name for field in fields(cls)}
        missing = known - set(values)
        if missing:
            raise IndexFormatError(
                f"segment {values.get('name')}: the index lacks {', '.join(sorted(missing))}; "
                "build it again with tools/create_data.py waymo"
            )
        return cls(**{name: values[name] for name in known})


def frame_token(segment: str, timestamp: int) -> str:
    """What the rest of the framework calls a frame."""
    return f"{segment}_{timestamp}"


def split_token(token: str) -> tuple[str, int]:
    """Segment and time in microseconds of a frame."""
    segment, _, timestamp = token.rpartition("_")
    return segment, int(timestamp)
