"""Waymo's detection metrics in process: LET-3D-AP, -APL and -APH, and plain 3D AP and APH."""

from bev.evaluation.waymo_let.config import (
    Alignment,
    Breakdown,
    BreakdownLevels,
    LetConfig,
    MetricConfig,
    MetricConfigError,
    ObjectType,
)
from bev.evaluation.waymo_let.frames import FrameObjects, ObjectsError, split_frames
from bev.evaluation.waymo_let.metrics import Accumulator, DetectionMetrics, accumulate, detection_metrics

__all__ = [
    "Accumulator",
    "Alignment",
    "Breakdown",
    "BreakdownLevels",
    "DetectionMetrics",
    "FrameObjects",
    "LetConfig",
    "MetricConfig",
    "MetricConfigError",
    "ObjectType",
    "ObjectsError",
    "accumulate",
    "detection_metrics",
    "split_frames",
]
