"""What surfaces are, in the categories of nuScenes-lidarseg.

Shapes: N places; P parts.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from bev.datasets.synthetic.network import CELL, RoadNetwork
from bev.datasets.synthetic.parts import FOLIAGE, Parts
from bev.datasets.synthetic.scene import Scene

CATEGORIES = (
    "noise",
    "animal",
    "human.pedestrian.adult",
    "human.pedestrian.child",
    "human.pedestrian.construction_worker",
    "human.pedestrian.personal_mobility",
    "human.pedestrian.police_officer",
    "human.pedestrian.stroller",
    "human.pedestrian.wheelchair",
    "movable_object.barrier",
    "movable_object.debris",
    "movable_object.pushable_pullable",
    "movable_object.trafficcone",
    "static_object.bicycle_rack",
    "vehicle.bicycle",
    "vehicle.bus.bendy",
    "vehicle.bus.rigid",
    "vehicle.car",
    "vehicle.construction",
    "vehicle.emergency.ambulance",
    "vehicle.emergency.police",
    "vehicle.motorcycle",
    "vehicle.trailer",
    "vehicle.truck",
    "flat.driveable_surface",
    "flat.other",
    "flat.sidewalk",
    "flat.terrain",
    "static.manmade",
    "static.other",
    "static.vegetation",
    "vehicle.ego",
)
"""In the order of their indices in nuScenes-lidarseg."""

_FAR = 1e6


def ground_categories(network: RoadNetwork, places: np.ndarray) -> np.ndarray:
    """Indices (...) uint8 of carriageway, sidewalk or terrain at places (..., 2) of the world, metres."""
    at = np.moveaxis(places[..., ::-1], -1, 0) / CELL  # rows and columns of the grid
    found = np.full(places.shape[:-1], CATEGORIES.index("flat.terrain"), dtype=np.uint8)
    road = np.zeros(found.shape, dtype=bool)
    for one, offset in zip(network.roads, network.offset, strict=True):
        away = np.abs(map_coordinates(offset, at, order=1, mode="constant", cval=_FAR))
        found[away < one.half_width + one.sidewalk_width] = CATEGORIES.index("flat.sidewalk")
        road |= away < one.half_width
    return np.where(road, np.uint8(CATEGORIES.index("flat.driveable_surface")), found)


def part_categories(scene: Scene, parts: Parts) -> np.ndarray:
    """Indices (P,) uint8: of the object that a part belongs to, or vegetation or manmade."""
    scenery = np.where(
        parts.material == FOLIAGE, CATEGORIES.index("static.vegetation"), CATEGORIES.index("static.manmade")
    )
    actors = np.array([CATEGORIES.index(actor.category) for actor in scene.actors], dtype=np.int64)
    owned = parts.owner >= 0
    if owned.any():
        scenery[owned] = actors[parts.owner[owned]]
    return scenery.astype(np.uint8)
