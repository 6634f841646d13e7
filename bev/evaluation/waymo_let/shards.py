"""Which objects are in which shard of a breakdown.

Shapes: S shards, N objects.
"""

from __future__ import annotations

import numpy as np

from bev.datasets.waymo.classes import CAMERAS
from bev.evaluation.waymo_let.config import Breakdown, MetricConfig, ObjectType

RANGES = ((0.0, 30.0, "[0, 30)"), (30.0, 50.0, "[30, 50)"), (50.0, np.inf, "[50, +inf)"))
"""Distances of the box centre from the vehicle's origin, metres."""

CAMERA_AXES_DEGREES = np.array([0.0, 45.0, -45.0, 90.0, -90.0])
"""Of the `CAMERAS`, counter-clockwise from the vehicle's x axis."""

HALF_VIEW_DEGREES = 25.2


def shard_names(breakdown: Breakdown) -> list[str]:
    """Names of a breakdown's shards, as the official tool prints them before the level."""
    types = [f"TYPE_{kind.name}" for kind in ObjectType]
    if breakdown is Breakdown.ONE_SHARD:
        return ["ONE_SHARD"]
    if breakdown is Breakdown.OBJECT_TYPE:
        return [f"OBJECT_TYPE_{kind}" for kind in types]
    if breakdown is Breakdown.RANGE:
        return [f"RANGE_{kind}_{name}" for kind in types for _, _, name in RANGES]
    return [f"CAMERA_{kind}_{camera.replace('_', '-')}" for kind in types for camera in CAMERAS]


def row_labels(config: MetricConfig) -> list[tuple[str, Breakdown, int, int]]:
    """Name, breakdown, shard and level of every row of the results."""
    return [
        (f"{name}_LEVEL_{level}", entry.breakdown, shard, level)
        for entry in config.breakdowns
        for shard, name in enumerate(shard_names(entry.breakdown))
        for level in entry.levels
    ]


def members(config: MetricConfig, boxes: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Objects that take part in each shard's matching, shards of all breakdowns one after the other.

    Args:
        config: Its breakdowns count.
        boxes: (N, 7).
        types: (N,).

    Returns:
        (S, N) bool. In the breakdown by camera an object is in every shard whose camera may see it, or in none.
    """
    parts = [_members(entry.breakdown, boxes, types) for entry in config.breakdowns]
    return np.concatenate(parts) if parts else np.zeros((0, len(boxes)), dtype=bool)


def owners(config: MetricConfig, member: np.ndarray, types: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    """Ground truths whose matches and misses count in each shard.

    Those are the members, but by camera each ground truth belongs to one shard only: that of its most visible camera,
    or of the first camera that may see it where the former isn't known.

    Args:
        config: Its breakdowns count.
        member: (S, N) bool, as `members` gives it.
        types: (N,).
        cameras: (N,) most visible camera, 1 to 5, or 0.

    Returns:
        (S, N) bool.
    """
    owned, start = member.copy(), 0
    for entry in config.breakdowns:
        number = len(shard_names(entry.breakdown))
        if entry.breakdown is Breakdown.CAMERA:
            owned[start : start + number] = _camera_owners(member[start : start + number], types, cameras)
        start += number
    return owned


def _members(breakdown: Breakdown, boxes: np.ndarray, types: np.ndarray) -> np.ndarray:
    if breakdown is Breakdown.ONE_SHARD:
        return np.ones((1, len(boxes)), dtype=bool)
    of_type = types == np.array(ObjectType)[:, None]
    if breakdown is Breakdown.OBJECT_TYPE:
        return of_type
    if breakdown is Breakdown.RANGE:
        distance = np.sqrt(boxes[:, 0] ** 2 + boxes[:, 1] ** 2 + boxes[:, 2] ** 2)
        inside = np.stack([(distance >= near) & (distance < far) for near, far, _ in RANGES])
    else:
        azimuth = np.degrees(np.arctan2(boxes[:, 1], boxes[:, 0]))
        inside = np.abs(azimuth - CAMERA_AXES_DEGREES[:, None]) < HALF_VIEW_DEGREES
    return (of_type[:, None] & inside).reshape(len(ObjectType) * len(inside), len(boxes))


def _camera_owners(member: np.ndarray, types: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    seen = member.reshape(len(ObjectType), len(CAMERAS), len(types))
    first = seen.any(axis=0).argmax(axis=0)
    # An object in no camera's view has no shard unless a name says so.
    chosen = np.where(cameras > 0, cameras - 1, np.where(seen.any(axis=(0, 1)), first, -1))
    owned = (types == np.array(ObjectType)[:, None])[:, None] & (chosen == np.arange(len(CAMERAS))[:, None])
    return owned.reshape(member.shape)
