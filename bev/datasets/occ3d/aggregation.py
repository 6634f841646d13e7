"""All LiDAR points of a scene in one cloud: what stands still in the world, and each object in the frame of its box.

Shapes: N points, O objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from bev.datasets.occ3d.classes import CLASSES, GROUND, UNKNOWN
from bev.datasets.occ3d.labels import OccupancyLabelError
from bev.datasets.occ3d.recording import Recording, Sweep
from bev.geometry import transform_points
from bev.geometry.compiled import jit

BOX_MARGIN = 0.1
"""Boxes are larger by so much on every side when points are looked for in them, metres."""

GROUND_CLEARANCE = 0.15
"""Points without labels that are so close to the bottom of a box belong to the ground, metres."""

EGO_BOX = ((-1.5, -1.1, -0.5), (3.6, 1.1, 2.5))
"""Points in here lie on the vehicle that carries the sensors: two corners in the ego frame, metres."""

GROUND_CELL = 1.0
GROUND_HEIGHT = 0.3
"""Points without labels that are at most so far above the lowest one of their cell lie on the ground, metres."""

TRANSFER_CELL = 0.2
"""A point of an unlabelled sweep takes the most frequent label of key frames in its cube of this size, metres."""

TRANSFER_REACH = 2.0
"""Where there is none, it takes the label of the nearest point that is at most so far away, metres."""

_MOVABLE = 11  # labels below this are annotated by boxes


@dataclass
class Cloud:
    """Labelled points of a scene.

    Attributes:
        points: (N, 3) float32 in the world.
        labels: (N,) uint8.
        objects: Points (n, 3) float32 and labels (n,) of each of the O tracks, in the frame of its box.
        rays: (origin (3,), ends (n, 3) float32) of every sweep, in the world.
    """

    points: np.ndarray
    labels: np.ndarray
    objects: list[tuple[np.ndarray, np.ndarray]]
    rays: list[tuple[np.ndarray, np.ndarray]]


def aggregate(recording: Recording, sweep_stride: int = 1) -> Cloud:
    """Gathers the sweeps of a scene.

    Points in the box of an annotated object belong to it, unless they are labelled as something that boxes don't hold.
    Labelled points of movable things outside all boxes are left out: nobody knows where they are at other times. Points
    of unlabelled sweeps take over the label that key frames have at their place; where there is none, and in data sets
    without labels, the map and the height above the ground decide: carriageway, terrain or manmade.

    Args:
        recording: The scene.
        sweep_stride: Of the sweeps between key frames only every `sweep_stride`-th is used; 0 for key frames alone.

    Raises:
        OSError: A file is missing.
        OccupancyLabelError: A file is damaged, or there is no point at all.
    """
    sweeps = _chosen(recording, sweep_stride)
    times = np.array([sweep.time for sweep in sweeps])
    tracks = [track.poses(times) for track in recording.tracks]
    points, labels, rays = [], [], []
    objects: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in recording.tracks]
    for number, sweep in enumerate(sweeps):
        world, found = _outside_ego(sweep)
        rays.append((sweep.origin, world))
        present = [k for k, (_, inside) in enumerate(tracks) if inside[number]]
        poses = np.array([tracks[k][0][number] for k in present]).reshape(-1, 4, 4)
        sizes = np.array([recording.tracks[k].size for k in present]).reshape(-1, 3)
        owner = _owners(world, found, poses, sizes)
        for row, k in enumerate(present):
            own = owner == row
            if own.any():
                local = (world[own] - poses[row, :3, 3]) @ poses[row, :3, :3]
                given = np.uint8(recording.tracks[k].label) if found is None else found[own]
                objects[k].append((local.astype(np.float32), np.broadcast_to(given, len(local))))
        rest = owner < 0
        if found is not None:
            rest &= (found >= _MOVABLE) & (found != UNKNOWN)
        points.append(world[rest])
        labels.append(np.full(int(rest.sum()), UNKNOWN, dtype=np.uint8) if found is None else found[rest])
    if not sum(map(len, points)):
        raise OccupancyLabelError(f"scene {recording.name}: its LiDAR files hold no points around the vehicle")
    cloud, known = np.concatenate(points), np.concatenate(labels)
    return Cloud(cloud, _completed(recording, cloud, known), [_joined(parts) for parts in objects], rays)


def _chosen(recording: Recording, sweep_stride: int) -> list[Sweep]:
    times = {frame.time for frame in recording.key_frames}
    chosen, since = [], 0
    for sweep in recording.sweeps():
        since = 0 if sweep.time in times else since + 1
        if since == 0 or (sweep_stride and since % sweep_stride == 0):
            chosen.append(sweep)
    return chosen


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    if not parts:
        return np.zeros((0, 3), dtype=np.float32), np.zeros(0, dtype=np.uint8)
    return np.concatenate([points for points, _ in parts]), np.concatenate([labels for _, labels in parts])


def _outside_ego(sweep: Sweep) -> tuple[np.ndarray, np.ndarray | None]:
    """Points in the world (n, 3) float32 and their labels, without those on the ego vehicle and not finite ones."""
    low, high = EGO_BOX
    kept = ~((sweep.points > low) & (sweep.points < high)).all(axis=1) & np.isfinite(sweep.points).all(axis=1)
    world = transform_points(sweep.points[kept], sweep.world_T_ego).astype(np.float32)
    return world, None if sweep.labels is None else sweep.labels[kept]


def _owners(world: np.ndarray, labels: np.ndarray | None, poses: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Row of the box that each point belongs to, or -1."""
    lowest = GROUND_CLEARANCE if labels is None else -BOX_MARGIN
    owner = np.full(len(world), -1, dtype=np.int32)
    _assign(world, poses[:, :3, :3].copy(), poses[:, :3, 3].copy(), sizes / 2, BOX_MARGIN, lowest, owner)
    if labels is not None:
        owner[(labels >= _MOVABLE) | (labels == UNKNOWN)] = -1
    return owner


@jit
def _assign(points, rotations, centres, half, margin, lowest, owner):
    """Give each point the box whose centre is nearest of those that hold it."""
    for n in range(len(points)):
        best = np.inf
        for k in range(len(centres)):
            dx, dy, dz = points[n, 0] - centres[k, 0], points[n, 1] - centres[k, 1], points[n, 2] - centres[k, 2]
            distance = dx * dx + dy * dy + dz * dz
            reach = half[k, 0] + half[k, 1] + half[k, 2] + margin
            if distance >= best or distance > reach * reach:
                continue
            turn = rotations[k]
            x = abs(turn[0, 0] * dx + turn[1, 0] * dy + turn[2, 0] * dz)
            y = abs(turn[0, 1] * dx + turn[1, 1] * dy + turn[2, 1] * dz)
            z = turn[0, 2] * dx + turn[1, 2] * dy + turn[2, 2] * dz
            beside = x > half[k, 0] + margin or y > half[k, 1] + margin
            if not beside and lowest - half[k, 2] <= z <= half[k, 2] + margin:
                best, owner[n] = distance, k


def _completed(recording: Recording, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels for all points: those that key frames have at the same place, else those of map and height."""
    labels = labels.copy()
    known = labels != UNKNOWN
    if known.any():
        open_ = np.flatnonzero(~known)
        labels[open_] = _most_frequent(points[known], labels[known], points[open_], TRANSFER_CELL)
        open_ = np.flatnonzero(labels == UNKNOWN)
        labels[open_] = _nearest(points[known], labels[known], points[open_])
    open_ = np.flatnonzero(labels == UNKNOWN)
    labels[open_] = _by_map_and_height(recording, points, open_)
    return labels


def _most_frequent(points: np.ndarray, labels: np.ndarray, wanted: np.ndarray, size: float) -> np.ndarray:
    """For each wanted place the most frequent label of points in its cube, `UNKNOWN` where there is none."""
    low = np.floor(np.minimum(points.min(axis=0), wanted.min(axis=0, initial=np.inf)) / size).astype(np.int64)
    span = np.floor(np.maximum(points.max(axis=0), wanted.max(axis=0, initial=-np.inf)) / size).astype(np.int64)
    shape = tuple(span - low + 1)

    def cubes(places: np.ndarray) -> np.ndarray:
        return np.ravel_multi_index(tuple((np.floor(places / size).astype(np.int64) - low).T), shape)

    pairs, counts = np.unique(cubes(points) * 256 + labels, return_counts=True)
    order = np.lexsort((counts, pairs // 256))
    cube, label = pairs[order] // 256, (pairs[order] % 256).astype(np.uint8)
    last = np.append(cube[1:] != cube[:-1], True)  # the most frequent label of a cube comes last
    cube, label = cube[last], label[last]
    keys = cubes(wanted)
    place = np.minimum(np.searchsorted(cube, keys), len(cube) - 1)
    return np.where(cube[place] == keys, label[place], np.uint8(UNKNOWN))


def _nearest(points: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each wanted place the label of the nearest point, `UNKNOWN` where that is beyond `TRANSFER_REACH`."""
    _, found = cKDTree(points).query(wanted, distance_upper_bound=TRANSFER_REACH)
    return np.append(labels, np.uint8(UNKNOWN))[found]


def _by_map_and_height(recording: Recording, points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Carriageway or terrain for points near the ground, by the map, manmade for others."""
    if not len(chosen):
        return np.zeros(0, dtype=np.uint8)
    cells = np.floor(points[:, :2] / GROUND_CELL).astype(np.int64)
    cells -= cells.min(axis=0)
    lowest = np.full(cells.max(axis=0) + 1, np.inf, dtype=np.float32)
    np.minimum.at(lowest, tuple(cells.T), points[:, 2])
    low = points[chosen, 2] - lowest[tuple(cells[chosen].T)] < GROUND_HEIGHT
    flat = np.where(recording.is_on_map(points[chosen]), GROUND[0], GROUND[-1])
    return np.where(low, flat, CLASSES.index("manmade")).astype(np.uint8)
