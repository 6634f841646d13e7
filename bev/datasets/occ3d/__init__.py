"""Occ3D-nuScenes occupancy: labels, submission, and a generator of labels."""

from bev.datasets.occ3d.classes import CLASSES, COLOURS, FREE, GRID, UNKNOWN
from bev.datasets.occ3d.labels import (
    OccupancyLabelError,
    OccupancyLabels,
    find_labels,
    label_path,
    read_labels,
    write_labels,
)

__all__ = [
    "CLASSES",
    "COLOURS",
    "FREE",
    "GRID",
    "UNKNOWN",
    "OccupancyLabelError",
    "OccupancyLabels",
    "find_labels",
    "label_path",
    "read_labels",
    "write_labels",
]
