"""The ray caster that serves cameras and LiDAR alike: a depth buffer over any grid of rays.

Each part is tested only against the rays inside a rectangle of the grid that surely holds it.

Shapes: H, W ray grid; P parts; R rectangles; K owners.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bev.datasets.synthetic.parts import BACKGROUND, ELLIPSOID, FRUSTUM, Parts
from bev.geometry.compiled import jit

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


class Solids(NamedTuple):
    """Parts as compiled code reads them, with the sensor's place in their local frames.

    Attributes:
        to_local: (P, 3, 3) float32, local_R_sensor.
        origin: (P, 3) float32, the sensor in the local frames, metres.
        axes: (P, 3, 3) float32, world_R_local.
        height: (P,) float32, height of the centres above the ground, metres.
        half: (P, 3) float32.
        taper: (P, 3) float32.
        kind: (P,) int32.
        material: (P,) int32.
        colour: (P, 3) float32.
        accent: (P, 3) float32.
        owner: (P,) int32.
        seed: (P,) int32.
    """

    to_local: np.ndarray
    origin: np.ndarray
    axes: np.ndarray
    height: np.ndarray
    half: np.ndarray
    taper: np.ndarray
    kind: np.ndarray
    material: np.ndarray
    colour: np.ndarray
    accent: np.ndarray
    owner: np.ndarray
    seed: np.ndarray

    @classmethod
    def seen_from(cls, parts: Parts, world_T_sensor: np.ndarray) -> Solids:
        """Parts in the world, seen by a sensor with the given (4, 4) pose."""
        to_local = np.swapaxes(parts.axes, 1, 2) @ world_T_sensor[:3, :3]
        origin = np.einsum("pji,pj->pi", parts.axes, world_T_sensor[:3, 3] - parts.centre)
        arrays = (to_local, origin, parts.axes, parts.centre[:, 2], parts.half, parts.taper)
        single = [np.ascontiguousarray(array, dtype=np.float32) for array in arrays]
        return cls._make([*single, parts.kind, parts.material, parts.colour, parts.accent, parts.owner, parts.seed])


class Hits(NamedTuple):
    """What the rays of one sensor saw.

    Attributes:
        depth: (H, W) float32, ray parameter of the first hit; infinite in the sky.
        part: (H, W) int32, index of the part hit, or `NOTHING`.
        face: (H, W) int8, which face of it.
        covered: (K,) int64, rays that would hit each object if it stood alone.
    """

    depth: np.ndarray
    part: np.ndarray
    face: np.ndarray
    covered: np.ndarray


@jit
def _enter(solids, p, o, d):
    half = (solids.half[p, 0], solids.half[p, 1], solids.half[p, 2])
    taper = (solids.taper[p, 0], solids.taper[p, 1], solids.taper[p, 2])
    if solids.kind[p] == FRUSTUM:
        return _enter_frustum(o, d, half, taper)
    if solids.kind[p] == ELLIPSOID:
        return _enter_ellipsoid(o, d, half)
    return _enter_cone(o, d, half, taper[0])


@jit
def _cast(directions, solids, rectangles, nearest, stamp, hits):
    width = directions.shape[1]
    for r in range(len(rectangles)):
        p, top, bottom, left, right = rectangles[r]
        o = (solids.origin[p, 0], solids.origin[p, 1], solids.origin[p, 2])
        owner = solids.owner[p]
        m = solids.to_local[p]
        for v in range(top, bottom):
            for column in range(left, right):
                u = column % width  # rectangles of a LiDAR may run across the seam
                if owner < 0 and hits.depth[v, u] <= nearest[p]:
                    continue
                x, y, z = directions[v, u, 0], directions[v, u, 1], directions[v, u, 2]
                d = (
                    m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
                    m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
                    m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
                )
                t, face = _enter(solids, p, o, d)
                if face < 0:
                    continue
                if owner >= 0 and stamp[v, u] != owner:
                    stamp[v, u] = owner
                    hits.covered[owner] += 1
                if t < hits.depth[v, u]:
                    hits.depth[v, u], hits.part[v, u], hits.face[v, u] = t, p, face


def cast(
    directions: np.ndarray,
    solids: Solids,
    rectangles: np.ndarray,
    nearest: np.ndarray,
    base_depth: np.ndarray,
    owners: int,
) -> Hits:
    """First hits of a grid of rays.

    Args:
        directions: (H, W, 3) float32 in the sensor frame, see `Rays`.
        solids: P parts, those of one owner adjacent.
        rectangles: (R, 5) int32: part, first row, end row, first column, end column. Columns may exceed W (they wrap).
        nearest: (P,) float32, a lower bound of t for each part; lets hidden background be skipped.
        base_depth: (H, W) float32, where the rays meet the ground; infinite above the horizon.
        owners: K, the number of annotated objects.

    Returns:
        The hits; arrays of their own.
    """
    hits = Hits(
        depth=base_depth.copy(),
        part=np.full(base_depth.shape, NOTHING, dtype=np.int32),
        face=np.full(base_depth.shape, -1, dtype=np.int8),
        covered=np.zeros(owners, dtype=np.int64),
    )
    stamp = np.full(base_depth.shape, -1, dtype=np.int32)
    _cast(directions, solids, rectangles, nearest, stamp, hits)
    return hits


def owner_map(hits: Hits, parts: Parts) -> np.ndarray:
    """The object (H, W) int32 that each ray hit, or `BACKGROUND`."""
    if not len(parts):
        return np.full(hits.part.shape, BACKGROUND, dtype=np.int32)
    return np.where(hits.part >= 0, parts.owner[hits.part], BACKGROUND)
