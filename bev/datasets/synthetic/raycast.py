"""The ray caster that serves cameras and LiDAR alike: a depth buffer over any grid of rays.

A sensor is a grid of ray directions (H, W, 3) in its own frame. For a camera a direction is (x, y, 1), so that the ray
parameter t is the depth along the optical axis; for a LiDAR it is a unit vector and t is the range. Each part is
tested only against the rays inside a rectangle of the grid that surely holds it.

Shapes: H, W ray grid; P parts; R rectangles; K owners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .compiled import jit
from .parts import CONE, ELLIPSOID, FRUSTUM, Parts

NOTHING = -1
"""Part index of rays that hit no part (they see the ground or the sky)."""

FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM, ROUND = range(7)
"""Faces of a part, in its local frame: +x, -x, +y, -y, +z, -z, and the curved face."""

_MISS = np.inf


@jit
def _enter_frustum(o, d, half, taper):
    """First intersection (t, face) of the ray o + t d with a leaning box; all planes are n . p <= c."""
    near, far, face = -np.inf, np.inf, -1
    for plane in range(6):
        axis, sign = plane // 2, 1.0 - 2.0 * (plane % 2)
        lean = taper[plane] if plane < 2 else (taper[2] if plane < 4 else 0.0)
        slope = sign * d[axis] + lean * d[2]
        gap = half[axis] - lean * (half[2] + o[2]) - sign * o[axis]
        if slope > 0.0:
            far = min(far, gap / slope)
        elif slope < 0.0:
            t = gap / slope
            if t > near:
                near, face = t, plane
        elif gap < 0.0:
            return _MISS, -1
        if near > far:
            return _MISS, -1
    return (near, face) if near > 0.0 else (_MISS, -1)


@jit
def _enter_ellipsoid(o, d, half):
    a = b = c = 0.0
    for axis in range(3):
        oo, dd = o[axis] / half[axis], d[axis] / half[axis]
        a += dd * dd
        b += oo * dd
        c += oo * oo
    root = b * b - a * (c - 1.0)
    if root <= 0.0:
        return _MISS, -1
    t = (-b - math.sqrt(root)) / a
    return (t, ROUND) if t > 0.0 else (_MISS, -1)


@jit
def _enter_cone(o, d, half, top_ratio):
    """Elliptical cone along z whose scaled radius is `1 - shrink * (z + half_z)`, closed by two lids."""
    ox, oy, dx, dy = o[0] / half[0], o[1] / half[1], d[0] / half[0], d[1] / half[1]
    shrink = (1.0 - top_ratio) / (2.0 * half[2])
    radius, growth = 1.0 - shrink * (o[2] + half[2]), -shrink * d[2]
    best, face = _MISS, -1
    a = dx * dx + dy * dy - growth * growth
    b = ox * dx + oy * dy - radius * growth
    c = ox * ox + oy * oy - radius * radius
    root = b * b - a * c
    if root > 0.0 and abs(a) > 1e-12:
        t = (-b - math.copysign(math.sqrt(root), a)) / a
        if t > 0.0 and abs(o[2] + t * d[2]) <= half[2]:
            best, face = t, ROUND
    if d[2] != 0.0:
        lid = -1.0 if d[2] > 0.0 else 1.0
        t = (lid * half[2] - o[2]) / d[2]
        x, y = ox + t * dx, oy + t * dy
        limit = 1.0 if lid < 0.0 else top_ratio
        if 0.0 < t < best and x * x + y * y <= limit * limit:
            best, face = t, (BOTTOM if lid < 0.0 else TOP)
    return best, face


@jit
def _cast(directions, kind, to_local, origin, half, taper, owner, rectangles, nearest, depth, part, face, stamp, covered):
    width = directions.shape[1]
    for r in range(len(rectangles)):
        p, top, bottom, left, right = rectangles[r]
        o = (origin[p, 0], origin[p, 1], origin[p, 2])
        h = (half[p, 0], half[p, 1], half[p, 2])
        k = (taper[p, 0], taper[p, 1], taper[p, 2])
        m = to_local[p]
        counted = owner[p] >= 0
        for v in range(top, bottom):
            for column in range(left, right):
                u = column % width  # rectangles of a LiDAR may run across the seam
                if not counted and depth[v, u] <= nearest[p]:
                    continue
                x, y, z = directions[v, u, 0], directions[v, u, 1], directions[v, u, 2]
                d = (
                    m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
                    m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
                    m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
                )
                if kind[p] == FRUSTUM:
                    t, side = _enter_frustum(o, d, h, k)
                elif kind[p] == ELLIPSOID:
                    t, side = _enter_ellipsoid(o, d, h)
                else:
                    t, side = _enter_cone(o, d, h, k[0])
                if side < 0:
                    continue
                if counted and stamp[v, u] != owner[p]:
                    stamp[v, u] = owner[p]
                    covered[owner[p]] += 1
                if t < depth[v, u]:
                    depth[v, u], part[v, u], face[v, u] = t, p, side


@dataclass(frozen=True)
class Hits:
    """What the rays of one sensor saw.

    Attributes:
        depth: (H, W) float32, ray parameter of the first hit; infinite in the sky.
        part: (H, W) int32, index of the part hit, or `NOTHING`.
        face: (H, W) int8, which face of it.
        to_local: (P, 3, 3) float32, local_R_sensor.
        origin: (P, 3) float32, the sensor in the local frames, metres.
        covered: (K,) int64, rays that would hit each object if it stood alone.
    """

    depth: np.ndarray
    part: np.ndarray
    face: np.ndarray
    to_local: np.ndarray
    origin: np.ndarray
    covered: np.ndarray


def cast(
    directions: np.ndarray, world_T_sensor: np.ndarray, parts: Parts, rectangles: np.ndarray, nearest: np.ndarray,
    base_depth: np.ndarray, owners: int,
) -> Hits:
    """First hits of a grid of rays.

    Args:
        directions: (H, W, 3) float32 in the sensor frame.
        world_T_sensor: (4, 4) pose of the sensor.
        parts: P parts in the world, those of one owner adjacent.
        rectangles: (R, 5) int32: part, first row, end row, first column, end column. Columns may exceed W (they wrap).
        nearest: (P,) float32, a lower bound of t for each part; lets hidden background be skipped.
        base_depth: (H, W) float32, where the rays meet the ground; infinite above the horizon.
        owners: K, the number of annotated objects.

    Returns:
        The hits; arrays of their own.
    """
    to_local = np.ascontiguousarray(np.swapaxes(parts.axes, 1, 2) @ world_T_sensor[:3, :3])
    origin = np.einsum("pji,pj->pi", parts.axes, world_T_sensor[:3, 3] - parts.centre)
    hits = Hits(
        depth=base_depth.copy(),
        part=np.full(base_depth.shape, NOTHING, dtype=np.int32),
        face=np.full(base_depth.shape, -1, dtype=np.int8),
        to_local=to_local.astype(np.float32),
        origin=origin.astype(np.float32),
        covered=np.zeros(owners, dtype=np.int64),
    )
    stamp = np.full(base_depth.shape, -1, dtype=np.int32)
    _cast(
        directions, parts.kind, hits.to_local, hits.origin, parts.half.astype(np.float32),
        parts.taper.astype(np.float32), parts.owner, rectangles, nearest, hits.depth, hits.part, hits.face,
        stamp, hits.covered,
    )
    return hits


def visible_counts(hits: Hits, parts: Parts, owners: int) -> np.ndarray:
    """Rays (K,) int64 whose first hit belongs to each object."""
    seen = hits.part[hits.part >= 0]
    owner = parts.owner[seen]
    return np.bincount(owner[owner >= 0], minlength=owners)
