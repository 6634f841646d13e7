"""A spinning LiDAR with 32 beams, cast against the same parts as the cameras.

Shapes: 32 beams, `AZIMUTHS` columns; N points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.parts import (
    BODYWORK,
    CABIN,
    CARGO,
    CLOTH,
    COACH,
    EMISSIVE,
    FACADE,
    FOLIAGE,
    GLASS,
    STRIPES,
    TYRE,
    Parts,
)
from bev.datasets.synthetic.raycast import Hits, Solids, cast, owner_map
from bev.datasets.synthetic.render import Moment, ground_depth
from bev.geometry import wrap_angle

BEAMS = 32
AZIMUTHS = 640
ELEVATIONS = (-30.67, 10.67)
"""Lowest and highest beam, degrees, as on the nuScenes cars."""

MAX_RANGE = 85.0
"""Metres."""

_REFLECTIVITY = {
    BODYWORK: 30.0,
    CABIN: 18.0,
    COACH: 30.0,
    CARGO: 35.0,
    TYRE: 5.0,
    FACADE: 25.0,
    FOLIAGE: 15.0,
    STRIPES: 90.0,
    EMISSIVE: 60.0,
    GLASS: 8.0,
    CLOTH: 20.0,
}
_PLAIN_REFLECTIVITY = 28.0
_GROUND_REFLECTIVITY = 10.0


@dataclass(frozen=True)
class Scan:
    """One turn of the LiDAR.

    Attributes:
        points: (N, 5) float32: x, y, z in metres in the LiDAR frame (x right, y forward), intensity in [0, 255], beam.
        owners: (N,) int32, the object that each point lies on, or `BACKGROUND`.
        parts: (N,) int32, the part of the moment that each point lies on, or `NOTHING` for the ground.
    """

    points: np.ndarray
    owners: np.ndarray
    parts: np.ndarray


def beam_directions() -> np.ndarray:
    """Unit vectors (BEAMS, AZIMUTHS, 3) float32 in the LiDAR frame; column 0 looks along +x, counter-clockwise."""
    elevation = np.deg2rad(np.linspace(*ELEVATIONS, BEAMS))[:, None]
    azimuth = ((np.arange(AZIMUTHS) + 0.5) * (2 * np.pi / AZIMUTHS))[None]
    flat = np.cos(elevation)
    up = np.broadcast_to(np.sin(elevation), (BEAMS, AZIMUTHS))
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), up], axis=-1).astype(np.float32)


def scan(now: Moment, ego_T_lidar: np.ndarray, owners: int, rng: np.random.Generator) -> Scan:
    """Turns the LiDAR once at a key frame; the whole turn happens in an instant and ranges are exact.

    Args:
        now: The key frame.
        ego_T_lidar: (4, 4).
        owners: Number of annotated objects.
        rng: For lost returns and noisy intensities.
    """
    directions = beam_directions()
    hits = cast_beams(now.parts, now.world_T_ego, ego_T_lidar, owners)
    kept = (hits.depth < MAX_RANGE) & (rng.random(hits.depth.shape) > 0.02 + 0.1 * (hits.depth / MAX_RANGE) ** 2)
    part = hits.part[kept]
    xyz = directions[kept] * hits.depth[kept][:, None]
    table = np.array([_REFLECTIVITY.get(material, _PLAIN_REFLECTIVITY) for material in range(32)])
    bright = np.where(part >= 0, table[now.parts.material[part]], _GROUND_REFLECTIVITY)
    bright = np.clip(bright * rng.uniform(0.6, 1.4, len(part)), 0, 255)
    beam = np.nonzero(kept)[0]
    points = np.column_stack([xyz, np.rint(bright), beam]).astype(np.float32)
    return Scan(points, owner_map(hits, now.parts)[kept], part)


def cast_beams(parts: Parts, world_T_ego: np.ndarray, ego_T_lidar: np.ndarray, owners: int) -> Hits:
    """What all beams of one turn hit, (BEAMS, AZIMUTHS); infinitely far away where that is nothing.

    Args:
        parts: Everything there is but the ground.
        world_T_ego: (4, 4), the vehicle on the ground.
        ego_T_lidar: (4, 4).
        owners: Number of annotated objects.
    """
    directions = beam_directions()
    world_T_lidar = world_T_ego @ ego_T_lidar
    rectangles, nearest = _rectangles(parts, world_T_lidar)
    solids = Solids.seen_from(parts, world_T_lidar)
    return cast(directions, solids, rectangles, nearest, ground_depth(directions, ego_T_lidar), owners)


def _rectangles(parts: Parts, world_T_lidar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All beams of the columns that hold each part (R, 5), and least ranges (P,); columns run past the seam."""
    corners = (parts.bounding_corners() - world_T_lidar[:3, 3]) @ world_T_lidar[:3, :3]
    centre = corners.mean(axis=1)
    middle = np.arctan2(centre[:, 1], centre[:, 0])
    spread = wrap_angle(np.arctan2(corners[..., 1], corners[..., 0]) - middle[:, None])
    low, high = spread.min(axis=1), spread.max(axis=1)
    wide = high - low > np.pi * 0.9  # the sensor is over or beside the middle of the part: look everywhere
    low, high = np.where(wide, -np.pi, low), np.where(wide, np.pi, high)
    step = 2 * np.pi / AZIMUTHS
    left = np.floor((middle + low) / step - 0.5).astype(np.int64) - 1
    right = np.minimum(np.ceil((middle + high) / step - 0.5).astype(np.int64) + 2, left + AZIMUTHS)
    turn = np.where(left < 0, AZIMUTHS, 0)
    radius = np.linalg.norm(corners - centre[:, None], axis=-1).max(axis=1)
    nearest = np.linalg.norm(centre, axis=1) - radius
    seen = np.flatnonzero(nearest < MAX_RANGE)
    whole = np.ones(len(seen), dtype=np.int64)
    rectangles = np.stack([seen, 0 * whole, BEAMS * whole, (left + turn)[seen], (right + turn)[seen]], axis=1)
    return rectangles.astype(np.int32), nearest.astype(np.float32)
