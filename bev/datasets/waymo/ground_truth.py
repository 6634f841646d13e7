"""The labels of an index as an official `Objects` message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bev.datasets.waymo.classes import CAMERAS
from bev.datasets.waymo.messages import message_class
from bev.datasets.waymo.objects import BOX_FIELDS
from bev.datasets.waymo.segment import Segment, frame_token


def ground_truth_objects(segments: Iterable[Segment], tokens: Iterable[str] | None = None) -> Any:
    """All labels with what the official metrics filter and break down by.

    Numbers are those of the index, in float32.

    Args:
        segments: Of an index.
        tokens: Frames to take (`segment.frame_token`); all without them.
    """
    message = message_class("Objects")()
    wanted = None if tokens is None else set(tokens)
    for segment in segments:
        boxes, synced = segment.boxes.astype(np.float64), segment.synced_boxes.astype(np.float64)
        frames = segment.frame_of_object
        for row, frame in enumerate(frames.tolist()):
            time = int(segment.timestamps[frame])
            if wanted is None or frame_token(segment.name, time) in wanted:
                entry = message.objects.add(context_name=segment.name, frame_timestamp_micros=time)
                _fill_label(entry.object, segment, row, boxes[row], synced[row])
    return message


def _fill_label(label: Any, segment: Segment, row: int, box: np.ndarray, synced: np.ndarray) -> None:
    label.type = int(segment.types[row])
    label.id = str(segment.track_ids[segment.tracks[row]])
    label.detection_difficulty_level = int(segment.levels[row])
    label.tracking_difficulty_level = int(segment.tracking_levels[row])
    label.num_lidar_points_in_box = int(segment.lidar_points[row])
    label.num_top_lidar_points_in_box = int(segment.top_points[row])
    _fill_box(label.box, box)
    if segment.most_visible[row]:
        label.most_visible_camera_name = CAMERAS[segment.most_visible[row] - 1]
        _fill_box(label.camera_synced_box, synced)


def _fill_box(message: Any, box: np.ndarray) -> None:
    for field, value in zip(BOX_FIELDS, box.tolist(), strict=True):
        setattr(message, field, value)
