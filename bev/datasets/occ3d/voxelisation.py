"""Labels of a key frame from the cloud of its scene.

Shapes: X, Y, Z voxels; K classes but free space; N points.
"""

from __future__ import annotations

import numpy as np

from bev.datasets.occ3d.aggregation import Cloud
from bev.datasets.occ3d.classes import FREE, GRID, GROUND
from bev.datasets.occ3d.labels import OccupancyLabels
from bev.datasets.occ3d.recording import KeyFrame, Track
from bev.datasets.occ3d.visibility import camera_mask
from bev.geometry import invert_pose
from bev.geometry.compiled import jit
from bev.geometry.voxel_rays import passed_voxels
from bev.geometry.voxels import VoxelGrid

CARVE_MARGIN = 0.6
"""Rays make voxels free up to so far before the point that they hit, metres.

A ray that grazes a surface passes voxels that the surface cuts, and must not make them free.
"""


def label_key_frame(
    cloud: Cloud, frame: KeyFrame, tracks: tuple[Track, ...], grid: VoxelGrid = GRID
) -> OccupancyLabels:
    """Voxels around ego at a key frame.

    Objects stand where they are annotated at that time. Voxels without points are free; `mask_lidar` tells those that
    rays of the scene passed or hit from those about which nothing is known. `mask_camera` comes from rays of the key
    frame's cameras through these voxels.

    Args:
        cloud: Of the scene.
        frame: The key frame.
        tracks: The scene's objects, as many as the cloud has.
        grid: In the ego frame.
    """
    counts = np.zeros((*grid.shape, FREE), dtype=np.uint16)
    ego_T_world = invert_pose(frame.world_T_ego)
    _count(cloud.points, cloud.labels, *_to_voxels(grid, ego_T_world), counts)
    boxes = np.zeros(grid.shape, dtype=bool)
    now = np.array([frame.time])
    for track, (points, labels) in zip(tracks, cloud.objects, strict=True):
        poses, annotated = track.poses(now)
        if annotated[0]:
            ego_T_box = ego_T_world @ poses[0]
            _mark_box(boxes, *_to_voxels(grid, ego_T_box), track.size / 2)
            _count(points, labels, *_to_voxels(grid, ego_T_box), counts)
    semantics = _decide(counts)
    occupied = semantics != FREE
    # Rays of other times tell nothing about places where an object stands now.
    lidar = occupied | (_carved(cloud, ego_T_world, grid) & ~boxes)
    return OccupancyLabels(semantics, lidar, camera_mask(occupied, frame.views, grid), grid)


def _to_voxels(grid: VoxelGrid, ego_T_points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3, 3) and shift (3,) that take points to voxel coordinates."""
    scale = 1 / np.array(grid.voxel_size)
    return scale[:, None] * ego_T_points[:3, :3], scale * (ego_T_points[:3, 3] - grid.low)


@jit
def _count(points, labels, matrix, shift, counts):
    """Add each point to its voxel's counts by label (X, Y, Z, K)."""
    size_x, size_y, size_z, _ = counts.shape
    for n in range(len(points)):
        a, b, c = points[n, 0], points[n, 1], points[n, 2]
        x = matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c + shift[0]
        y = matrix[1, 0] * a + matrix[1, 1] * b + matrix[1, 2] * c + shift[1]
        z = matrix[2, 0] * a + matrix[2, 1] * b + matrix[2, 2] * c + shift[2]
        if 0.0 <= x < size_x and 0.0 <= y < size_y and 0.0 <= z < size_z:
            i, j, k = int(x), int(y), int(z)
            if counts[i, j, k, labels[n]] < 65535:
                counts[i, j, k, labels[n]] += 1


def _mark_box(boxes: np.ndarray, matrix: np.ndarray, shift: np.ndarray, half: np.ndarray) -> None:
    """Mark voxels (X, Y, Z) whose centres lie in a box of half extents (3,), metres."""
    corners = (np.indices((2, 2, 2)).reshape(3, -1).T * 2 - 1) * half @ matrix.T + shift
    first = np.clip(np.floor(corners.min(axis=0)), 0, boxes.shape).astype(np.int64)
    end = np.clip(np.ceil(corners.max(axis=0)), 0, boxes.shape).astype(np.int64)
    index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(first, end, strict=True)), indexing="ij"), axis=-1)
    local = (index + 0.5 - shift) @ np.linalg.inv(matrix).T
    boxes[first[0] : end[0], first[1] : end[1], first[2] : end[2]] |= (np.abs(local) <= half).all(axis=-1)


def _decide(counts: np.ndarray) -> np.ndarray:
    """Labels (X, Y, Z) uint8 from counts (X, Y, Z, K): the most frequent, anything that stands before the ground."""
    semantics = np.full(counts.shape[:3], FREE, dtype=np.uint8)
    occupied = counts.any(axis=-1)
    found = counts[occupied]
    standing = found.copy()
    standing[:, GROUND] = 0
    semantics[occupied] = np.where(standing.any(axis=-1), standing.argmax(axis=-1), found.argmax(axis=-1))
    return semantics


def _carved(cloud: Cloud, ego_T_world: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    """Voxels that rays of the scene pass."""
    passed = np.zeros(grid.shape, dtype=bool)
    matrix, shift = _to_voxels(grid, ego_T_world)
    for origin, ends in cloud.rays:
        start = matrix @ origin + shift
        targets = ends @ matrix.T + shift
        length = np.linalg.norm(ends - origin, axis=1)
        kept = length > CARVE_MARGIN
        share = (1 - CARVE_MARGIN / length[kept])[:, None]
        passed |= passed_voxels(passed, start, start + share * (targets[kept] - start), blocked=False)
    return passed
