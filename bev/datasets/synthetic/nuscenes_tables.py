"""Rows of nuScenes v1.0 tables that are the same for every scene, and how tokens are made."""

from __future__ import annotations

import hashlib

from bev.datasets.synthetic.rig import CAMERA_NAMES, LIDAR_NAME
from bev.datasets.synthetic.semantics import CATEGORIES

SCENE_TABLES = (
    "calibrated_sensor",
    "ego_pose",
    "instance",
    "lidarseg",
    "log",
    "map",
    "sample",
    "sample_annotation",
    "sample_data",
    "scene",
)
"""Tables whose rows belong to one scene; the remaining four are fixed."""

_CATEGORIES = {
    "human.pedestrian.adult": "An adult on foot.",
    "human.pedestrian.child": "A child on foot.",
    "human.pedestrian.wheelchair": "A person in a wheelchair; not generated.",
    "human.pedestrian.stroller": "A person with a stroller; not generated.",
    "human.pedestrian.personal_mobility": "A person on a scooter or skateboard; not generated.",
    "human.pedestrian.police_officer": "A police officer; not generated.",
    "human.pedestrian.construction_worker": "A person with a safety vest and a helmet.",
    "animal": "An animal; not generated.",
    "vehicle.car": "A passenger car or van.",
    "vehicle.motorcycle": "A motorcycle; its box includes the rider.",
    "vehicle.bicycle": "A bicycle; its box includes the rider.",
    "vehicle.bus.bendy": "A section of a bendy bus; not generated.",
    "vehicle.bus.rigid": "A bus.",
    "vehicle.truck": "A pick-up, lorry or tractor unit.",
    "vehicle.construction": "An excavator or wheel loader.",
    "vehicle.emergency.ambulance": "An ambulance; not generated.",
    "vehicle.emergency.police": "A police vehicle; not generated.",
    "vehicle.trailer": "A semi-trailer.",
    "movable_object.barrier": "A temporary barrier; its heading is across its long side.",
    "movable_object.trafficcone": "A traffic cone or bollard.",
    "movable_object.pushable_pullable": "Something that people push or pull; not generated.",
    "movable_object.debris": "Debris on the road; not generated.",
    "static_object.bicycle_rack": "A bicycle rack; not generated.",
    "noise": "A LiDAR point that belongs to nothing; not generated.",
    "flat.driveable_surface": "Carriageway.",
    "flat.other": "Other flat ground; not generated.",
    "flat.sidewalk": "Sidewalk.",
    "flat.terrain": "Grass and soil.",
    "static.manmade": "Buildings, posts, signs.",
    "static.other": "Other static things; not generated.",
    "static.vegetation": "Trees and hedges.",
    "vehicle.ego": "The car that carries the sensors; not generated.",
}

_ATTRIBUTES = {
    "vehicle.moving": "The vehicle moves.",
    "vehicle.stopped": "The vehicle stands in traffic.",
    "vehicle.parked": "The vehicle is parked.",
    "cycle.with_rider": "Somebody rides it.",
    "cycle.without_rider": "Nobody is on it.",
    "pedestrian.sitting_lying_down": "The person sits or lies; not generated.",
    "pedestrian.standing": "The person stands.",
    "pedestrian.moving": "The person walks.",
}

_VISIBILITY_LIMITS = (0.4, 0.6, 0.8)


def token(*names: object) -> str:
    """A 32-digit token that depends on the names only."""
    return hashlib.md5("/".join(map(str, names)).encode(), usedforsecurity=False).hexdigest()


def category_token(name: str) -> str:
    """Token of a category."""
    return token("category", name)


def attribute_tokens(name: str) -> list[str]:
    """Tokens of an attribute; none for the empty name."""
    return [token("attribute", name)] if name else []


def sensor_token(channel: str) -> str:
    """Token of a sensor."""
    return token("sensor", channel)


def visibility_token(visible: int, covered: int) -> str:
    """Level '1' to '4' from the share of an object's rays that reach it; '1' where no ray would."""
    share = visible / covered if covered else 0.0
    return str(1 + sum(share >= limit for limit in _VISIBILITY_LIMITS))


def fixed_tables() -> dict[str, list[dict]]:
    """The tables attribute, category, sensor and visibility."""
    bounds = (0, 40, 60, 80, 100)
    return {
        "attribute": [{"token": token("attribute", n), "name": n, "description": d} for n, d in _ATTRIBUTES.items()],
        "category": [
            {"token": category_token(n), "name": n, "description": d, "index": CATEGORIES.index(n)}
            for n, d in _CATEGORIES.items()
        ],
        "sensor": [
            {"token": sensor_token(name), "channel": name, "modality": "lidar" if name == LIDAR_NAME else "camera"}
            for name in (*CAMERA_NAMES, LIDAR_NAME)
        ],
        "visibility": [
            {
                "token": str(i + 1),
                "level": f"v{bounds[i]}-{bounds[i + 1]}",
                "description": f"visibility of whole object is between {bounds[i]} and {bounds[i + 1]}%",
            }
            for i in range(4)
        ],
    }
