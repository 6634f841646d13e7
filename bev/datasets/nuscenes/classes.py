"""Names of the nuScenes detection task: classes, categories, attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

CLASSES = (
    "barrier",
    "bicycle",
    "bus",
    "car",
    "construction_vehicle",
    "motorcycle",
    "pedestrian",
    "traffic_cone",
    "trailer",
    "truck",
)

# The order of labels inside index files: mmdet3d's dataset class reads them by position, whatever the file's own
# categories say.
INDEX_CLASSES = (
    "car",
    "truck",
    "trailer",
    "bus",
    "construction_vehicle",
    "bicycle",
    "motorcycle",
    "pedestrian",
    "traffic_cone",
    "barrier",
)

# The detection class of each annotated category; categories left out (animals, strollers, debris ...) are not detected.
CATEGORY_TO_CLASS = {
    "movable_object.barrier": "barrier",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.motorcycle": "motorcycle",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
    "movable_object.trafficcone": "traffic_cone",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
}

# The order of mmdet3d's attribute labels; len(ATTRIBUTES) stands for no attribute.
ATTRIBUTES = (
    "cycle.with_rider",
    "cycle.without_rider",
    "pedestrian.moving",
    "pedestrian.standing",
    "pedestrian.sitting_lying_down",
    "vehicle.moving",
    "vehicle.parked",
    "vehicle.stopped",
)

# BEVFormer v2's perspective head tells three attributes apart, whose meaning depends on the class; 3 stands for none.
ATTRIBUTE_STATES = {
    "vehicle.moving": 0,
    "vehicle.parked": 1,
    "vehicle.stopped": 2,
    "pedestrian.moving": 0,
    "pedestrian.standing": 1,
    "pedestrian.sitting_lying_down": 2,
    "cycle.with_rider": 0,
    "cycle.without_rider": 1,
}

CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_FRONT_LEFT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT")

# Above this speed, m/s, an object counts as moving where nothing predicts its attribute.
MOVING_SPEED = 0.2

_CYCLES = ("bicycle", "motorcycle")
_WITHOUT_ATTRIBUTE = ("barrier", "traffic_cone")


def label_mapping(
    metainfo: Mapping, classes: tuple[str, ...] = CLASSES, class_mapping: Mapping[str, str] | None = None
) -> np.ndarray:
    """Table from the labels of an index to positions in `classes`.

    Args:
        metainfo: the index's metainfo; its `categories` map names to labels, -1 for what is not a class.
        classes: the names wanted.
        class_mapping: what a model calls the index's classes, {"truck": "vehicle"}; others keep their names.

    Returns:
        (labels + 1,) int64: entry i for label i, and a last entry, which label -1 reaches, of -1. Classes not wanted
        give -1.
    """
    categories, called = metainfo["categories"], class_mapping or {}
    mapping = np.full(max(categories.values()) + 2, -1, dtype=np.int64)
    for name, label in categories.items():
        if label >= 0 and called.get(name, name) in classes:
            mapping[label] = classes.index(called.get(name, name))
    return mapping


def camera_order(names: Iterable[str]) -> list[str]:
    """Cameras in the order that camera embeddings rely on: nuScenes' six in their usual one, then others by name."""
    present = set(names)
    return [*(name for name in CAMERAS if name in present), *sorted(present - set(CAMERAS))]


def default_attribute(class_name: str, speed: float) -> str:
    """The most likely attribute of an object of this class and speed (m/s); "" for classes without attributes."""
    moving = speed > MOVING_SPEED
    if class_name in _WITHOUT_ATTRIBUTE:
        return ""
    if class_name == "pedestrian":
        return "pedestrian.moving" if moving else "pedestrian.standing"
    if class_name in _CYCLES:
        return "cycle.with_rider" if moving else "cycle.without_rider"
    if moving:
        return "vehicle.moving"
    # Buses halt at stops and lights; other vehicles at rest are mostly parked.
    return "vehicle.stopped" if class_name == "bus" else "vehicle.parked"
