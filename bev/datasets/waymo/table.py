"""Segments of the index as the flat arrays that clips are made from.

Shapes: F frames of all segments, K camera images, M boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bev.datasets.flat_arrays import byte_strings, firsts
from bev.datasets.frame_table import FrameTable
from bev.datasets.image_files import FilePart
from bev.datasets.parquet_files import ParquetCell
from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.segment import Segment, frame_token
from bev.datasets.waymo.segment_assembly import IMAGE_COLUMN, PACKED, pix_T_camera
from bev.geometry import invert_pose
from bev.geometry.can_bus import can_bus_state
from bev.structures.attributes import NO_ATTRIBUTE


@dataclass(frozen=True)
class LabelFilter:
    """Which labels become ground truth.

    Attributes:
        label_of_type: (5,) int64, -1 for types that aren't wanted (`classes.type_labels`).
        camera_synced: Boxes are where the most visible camera sees the object, as the camera-only challenge has them;
            objects without such a camera are left out. Otherwise boxes are the LiDAR's.
        only_visible: Leave out objects without a most visible camera.
        min_points: Fewest points in a box: of the top LiDAR for camera-synced boxes, else of all.
    """

    label_of_type: np.ndarray
    camera_synced: bool = True
    only_visible: bool = True
    min_points: int = 1

    def rows(self, segment: Segment) -> np.ndarray:
        """(N,) rows of the objects of a segment that pass."""
        points = segment.top_points if self.camera_synced else segment.lidar_points
        passed = (self.label_of_type[segment.types] >= 0) & (points >= self.min_points)
        if self.camera_synced or self.only_visible:
            passed &= segment.most_visible > 0
        return np.flatnonzero(passed)


@dataclass(frozen=True)
class WaymoTable:
    """Frames of all segments and where their images lie.

    Attributes:
        frames: What all data sets have.
        image_offsets, image_lengths: (K,) int64, bytes.
        image_crcs: (K,) uint32.
        image_rows: (K, 2) int32, see `Segment`.
        intrinsics: (K, 9) float64, see `Segment`.
    """

    frames: FrameTable
    image_offsets: np.ndarray
    image_lengths: np.ndarray
    image_crcs: np.ndarray
    image_rows: np.ndarray
    intrinsics: np.ndarray

    def part(self, image: int) -> FilePart | ParquetCell:
        """Where in its file an image (0 to K - 1) lies."""
        places = (self.image_offsets, self.image_lengths, self.image_crcs)
        offset, length, crc = (int(values[image]) for values in places)
        if offset != PACKED:
            return FilePart(offset, length, crc)
        row_group, row = self.image_rows[image].tolist()
        return ParquetCell(IMAGE_COLUMN, row_group, row, length, crc)


def build_table(
    segments: Sequence[Segment], labels: LabelFilter, cameras: Sequence[str] | None = None
) -> WaymoTable:
    """Arrays over all frames, in the order of the segments.

    Args:
        segments: Of an index.
        labels: Selection of the boxes.
        cameras: Names to keep; None keeps all.
    """
    images = [_image_columns(segment, cameras) for segment in segments]
    boxes = [_box_columns(segment, labels) for segment in segments]
    poses = np.concatenate([segment.global_T_vehicle for segment in segments])
    names = [[segment.name] * len(segment) for segment in segments]
    times = np.concatenate([segment.timestamps for segment in segments])
    scenes = [name for part in names for name in part]
    frames = FrameTable(
        tokens=byte_strings([frame_token(name, int(time)) for name, time in zip(scenes, times, strict=True)]),
        scenes=byte_strings(scenes),
        timestamps=times / 1e6,
        lidar_paths=np.full(len(scenes), b"", dtype="S1"),
        global_T_bev=poses,
        can_bus=np.stack([can_bus_state(pose) for pose in poses]),
        first_camera=firsts(np.concatenate([part["count"] for part in images]).tolist()),
        pix_T_global=np.concatenate([part["pix_T_global"] for part in images]),
        **{name: _join_bytes([part[name] for part in images]) for name in ("camera_names", "image_paths")},
        image_tokens=_join_bytes([part["image_tokens"] for part in images]),
        image_sizes=np.concatenate([part["image_sizes"] for part in images]),
        first_box=firsts(np.concatenate([part["count"] for part in boxes]).tolist()),
        **{
            name: np.concatenate([part[name] for part in boxes])
            for name in ("boxes", "labels", "attributes", "speeds", "num_points")
        },
    )
    own = ("image_offsets", "image_lengths", "image_crcs", "image_rows", "intrinsics")
    return WaymoTable(frames, **{name: np.concatenate([part[name] for part in images]) for name in own})


def image_projections(segment: Segment) -> np.ndarray:
    """(T, C, 4, 4) float64 projections from global metres into the images, with the vehicle where each image was taken.

    They hold for an ideal lens; `UndistortImages` makes the images fit.
    """
    pix_T_vehicle = np.array(
        [
            pix_T_camera(intrinsic) @ invert_pose(pose)
            for intrinsic, pose in zip(segment.intrinsics, segment.vehicle_T_camera, strict=True)
        ]
    ).reshape(-1, 4, 4)
    return pix_T_vehicle @ invert_pose(segment.image_global_T_vehicle)


def _image_columns(segment: Segment, cameras: Sequence[str] | None) -> dict[str, np.ndarray]:
    wanted = np.array([cameras is None or CAMERAS[number - 1] in cameras for number in segment.cameras], dtype=bool)
    present = segment.has_image & wanted
    frames, slots = np.nonzero(present)
    names = [CAMERAS[segment.cameras[slot] - 1] for slot in slots]
    tokens = [
        f"{frame_token(segment.name, int(segment.timestamps[t]))}_{name}"
        for t, name in zip(frames, names, strict=True)
    ]
    return {
        "count": present.sum(axis=1),
        "camera_names": byte_strings(names),
        "image_paths": np.full(len(names), segment.path.encode()),
        "image_tokens": byte_strings(tokens),
        "image_sizes": segment.camera_sizes[slots].astype(np.int64),
        "pix_T_global": image_projections(segment)[frames, slots],
        "image_offsets": segment.image_offsets[frames, slots],
        "image_lengths": segment.image_lengths[frames, slots],
        "image_crcs": segment.image_crcs[frames, slots],
        "image_rows": segment.image_rows[frames, slots],
        "intrinsics": segment.intrinsics[slots],
    }


def _box_columns(segment: Segment, labels: LabelFilter) -> dict[str, np.ndarray]:
    rows = labels.rows(segment)
    boxes = (segment.synced_boxes if labels.camera_synced else segment.boxes)[rows]
    velocities = segment.velocities[rows]
    points = segment.top_points if labels.camera_synced else segment.lidar_points
    return {
        "count": np.bincount(segment.frame_of_object[rows], minlength=len(segment)),
        "boxes": np.concatenate([boxes, velocities], axis=1).astype(np.float32),
        "labels": labels.label_of_type[segment.types[rows]],
        "attributes": np.full(len(rows), NO_ATTRIBUTE, dtype=np.int64),
        "speeds": np.hypot(velocities[:, 0], velocities[:, 1]).astype(np.float32),
        "num_points": points[rows].astype(np.int64),
    }


def _join_bytes(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Byte strings of several lengths, one after the other."""
    width = max((part.dtype.itemsize for part in parts), default=1)
    return np.concatenate([part.astype(f"S{width}") for part in parts])
