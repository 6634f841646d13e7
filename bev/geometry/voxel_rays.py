"""Rays through voxels, compiled: where they end, and what they pass.

The voxels that a ray passes come from stepping to the nearest next boundary (Amanatides and Woo 1987).

Shapes: X, Y, Z voxels; O origins, R directions, N segments.
"""

from __future__ import annotations

import math

import numpy as np

from bev.geometry.compiled import in_parallel, jit

MAX_STEPS = 1000
"""A ray that hasn't left the grid after so many voxels ends there."""


@jit
def _axis(origin: float, direction: float) -> tuple[int, int, float, float]:
    """Voxel, step, ray parameter of the first boundary and parameter between boundaries along one axis."""
    voxel = math.floor(origin)
    if direction > 0.0:
        return voxel, 1, (voxel + 1 - origin) / direction, 1.0 / direction
    if direction < 0.0:
        return voxel, -1, (voxel - origin) / direction, -1.0 / direction
    return voxel, 0, np.inf, np.inf


@jit
def first_hit(voxels, free, origin, direction, clear):
    """The first voxel that isn't free along one ray, for compiled callers of this folder.

    Args:
        voxels: (X, Y, Z) labels.
        free: The label that rays pass.
        origin: (3,), voxel coordinates.
        direction: (3,), voxels per unit of the ray's parameter.
        clear: Whether the ray may hit the voxel that it starts in; otherwise it passes what it starts inside of.

    Returns:
        Label, or `free`; the axis across whose boundary the ray enters that voxel, -1 if it starts there; and the
        parameters at which it enters and leaves the voxel, or the grid.
    """
    x, step_x, next_x, delta_x = _axis(origin[0], direction[0])
    y, step_y, next_y, delta_y = _axis(origin[1], direction[1])
    z, step_z, next_z, delta_z = _axis(origin[2], direction[2])
    size_x, size_y, size_z = np.uint64(voxels.shape[0]), np.uint64(voxels.shape[1]), np.uint64(voxels.shape[2])
    in_grid, axis, next_axis, reached, left = False, -1, -1, 0.0, 0.0
    for _ in range(MAX_STEPS):
        # As unsigned numbers, which negative ones become large in: one comparison each, and no wraparound in the index.
        i, j, k = np.uint64(x), np.uint64(y), np.uint64(z)
        inside = i < size_x and j < size_y and k < size_z
        if in_grid and not inside:
            break
        label = voxels[i, j, k] if inside else free
        axis, reached = next_axis, left
        if next_x < next_y and next_x < next_z:
            next_axis, left, x, next_x = 0, next_x, x + step_x, next_x + delta_x
        elif next_x >= next_y and next_y < next_z:
            next_axis, left, y, next_y = 1, next_y, y + step_y, next_y + delta_y
        else:
            next_axis, left, z, next_z = 2, next_z, z + step_z, next_z + delta_z
        if label == free:
            clear = True
        elif clear:
            return label, axis, reached, left
        if inside:
            in_grid = True
    return free, axis, reached, left


@jit
def _first_hits(voxels, free, origins, directions, labels, distances):
    for o in range(len(origins)):
        for r in range(len(directions)):
            labels[o, r], _, _, distances[o, r] = first_hit(voxels, free, origins[o], directions[r], True)


def first_hits(
    voxels: np.ndarray, free: int, origins: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first voxel that isn't free along every ray.

    Args:
        voxels: (X, Y, Z) uint8 labels.
        free: The label that rays pass.
        origins: (O, 3), voxel coordinates.
        directions: (R, 3), voxels per unit of the ray's parameter: unit vectors give distances in voxels.

    Returns:
        (O, R) uint8 labels, `free` where a ray leaves the grid, and (O, R) float32 parameters at which the ray leaves
        the voxel that it hit, or the grid.
    """
    voxels = np.ascontiguousarray(voxels, dtype=np.uint8)
    origins = np.ascontiguousarray(origins, dtype=np.float64).reshape(-1, 3)
    directions = np.ascontiguousarray(directions, dtype=np.float64)
    labels = np.empty((len(origins), len(directions)), dtype=np.uint8)
    distances = np.empty(labels.shape, dtype=np.float32)

    def run(rays: slice) -> None:
        _first_hits(voxels, np.uint8(free), origins, directions[rays], labels[:, rays], distances[:, rays])

    in_parallel(run, len(directions))
    return labels, distances


@jit
def _mark_passed(occupied, origins, ends, passed, blocked):
    """Mark the voxels that segments pass before their last one, up to the first occupied one if they are blocked."""
    size_x, size_y, size_z = passed.shape
    for n in range(len(origins)):
        direction = ends[n] - origins[n]
        x, step_x, next_x, delta_x = _axis(origins[n, 0], direction[0])
        y, step_y, next_y, delta_y = _axis(origins[n, 1], direction[1])
        z, step_z, next_z, delta_z = _axis(origins[n, 2], direction[2])
        entered = False
        while True:
            inside = 0 <= x < size_x and 0 <= y < size_y and 0 <= z < size_z
            if entered and not inside:
                break
            if inside:
                entered = True
                passed[x, y, z] = True
                if blocked and occupied[x, y, z]:
                    break
            if next_x < next_y and next_x < next_z:
                reached, x, next_x = next_x, x + step_x, next_x + delta_x
            elif next_x >= next_y and next_y < next_z:
                reached, y, next_y = next_y, y + step_y, next_y + delta_y
            else:
                reached, z, next_z = next_z, z + step_z, next_z + delta_z
            if reached >= 1.0:
                break


def passed_voxels(occupied: np.ndarray, origins: np.ndarray, ends: np.ndarray, blocked: bool) -> np.ndarray:
    """Which voxels segments touch, those of both ends included.

    Args:
        occupied: (X, Y, Z) bool; gives the shape, and stops the segments if they are `blocked`.
        origins: (N, 3), voxel coordinates.
        ends: (N, 3), voxel coordinates.
        blocked: Whether segments end in the first occupied voxel.

    Returns:
        (X, Y, Z) bool.
    """
    passed = np.zeros(occupied.shape, dtype=np.bool_)
    origins = np.ascontiguousarray(np.broadcast_to(origins, np.shape(ends)), dtype=np.float64)
    ends = np.ascontiguousarray(ends, dtype=np.float64)
    _mark_passed(np.ascontiguousarray(occupied, dtype=np.bool_), origins, ends, passed, blocked)
    return passed
