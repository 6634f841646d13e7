"""Occ3D-nuScenes (arXiv 2304.14365): grid, classes and colours, as in the CVPR 2023 occupancy challenge."""

from __future__ import annotations

from bev.errors import InputError
from bev.geometry.voxels import VoxelGrid

CLASSES = (
    "others", "barrier", "bicycle", "bus", "car", "construction_vehicle", "motorcycle", "pedestrian", "traffic_cone",
    "trailer", "truck", "driveable_surface", "other_flat", "sidewalk", "terrain", "manmade", "vegetation", "free",
)  # fmt: skip
"""Names of the labels, in order."""

FREE = 17
"""Label of free space."""

GROUND = tuple(CLASSES.index(name) for name in ("driveable_surface", "other_flat", "sidewalk", "terrain"))
"""Labels of what lies flat."""

CATEGORY_LABELS = {
    "animal": "others",
    "flat.driveable_surface": "driveable_surface",
    "flat.other": "other_flat",
    "flat.sidewalk": "sidewalk",
    "flat.terrain": "terrain",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.personal_mobility": "others",
    "human.pedestrian.police_officer": "pedestrian",
    "human.pedestrian.stroller": "others",
    "human.pedestrian.wheelchair": "others",
    "movable_object.barrier": "barrier",
    "movable_object.debris": "others",
    "movable_object.pushable_pullable": "others",
    "movable_object.trafficcone": "traffic_cone",
    "static.manmade": "manmade",
    "static.other": "others",
    "static.vegetation": "vegetation",
    "static_object.bicycle_rack": "others",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.emergency.ambulance": "others",
    "vehicle.emergency.police": "others",
    "vehicle.motorcycle": "motorcycle",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
}
"""Class of each category of nuScenes-lidarseg, by its 16-class scheme; what that ignores is "others".

Two categories are no matter in the world and have no class: "noise" and "vehicle.ego".
"""

UNKNOWN = 255
"""Label of voxels about which nothing is known, such as those that an augmentation brings in; never trained on."""

MASKS = ("camera", "lidar")
"""Who sees a voxel, as far as the labels tell."""

GRID = VoxelGrid(bounds=(-40.0, -40.0, -1.0, 40.0, 40.0, 5.4), shape=(200, 200, 16))
"""In the ego frame; voxels of 0.4 m."""

COLOURS = (
    (90, 90, 90), (255, 120, 50), (255, 192, 203), (255, 225, 25), (0, 150, 245), (0, 200, 200), (200, 180, 0),
    (240, 20, 40), (255, 240, 150), (135, 60, 0), (160, 32, 240), (205, 75, 205), (139, 137, 137), (110, 60, 110),
    (170, 220, 110), (210, 205, 190), (20, 150, 40),
)  # fmt: skip
"""RGB of every class but free space."""


def label_of_category(category: str) -> int:
    """Label of a nuScenes category, `UNKNOWN` for "noise" and "vehicle.ego".

    Raises:
        InputError: If there is no such category.
    """
    if category in ("noise", "vehicle.ego"):
        return UNKNOWN
    if category not in CATEGORY_LABELS:
        raise InputError(f"category {category!r} is none of nuScenes-lidarseg's")
    return CLASSES.index(CATEGORY_LABELS[category])
