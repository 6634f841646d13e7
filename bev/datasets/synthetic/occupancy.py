"""True occupancy of the procedural world, in the format of Occ3D.

A voxel is occupied if a solid holds one of 4 x 4 x 4 points in it, or if the ground runs through it; annotated objects
count before other solids, and solids before the ground. Masks come from rays through these voxels: those of the cameras
of the key frame, and those of the LiDAR from its places in all key frames of the scene.

Shapes: X, Y, Z voxels; P parts.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from bev.datasets.occ3d.classes import CLASSES, FREE, GRID
from bev.datasets.occ3d.labels import OccupancyLabels, label_path, write_labels
from bev.geometry.compiled import jit
from bev.geometry.voxel_rays import passed_voxels
from bev.geometry.voxels import VoxelGrid

from .generation import SHARDS
from .lidar import MAX_RANGE, beam_directions
from .network import CELL
from .nuscenes_tables import token
from .parts import CONE, ELLIPSOID, FOLIAGE, FRUSTUM, Parts
from .render import moment
from .scene import Scene
from .world import build_scene

SUBSAMPLES = 4
"""Points per voxel along each axis."""

CAMERA_STRIDE = 2
"""Rays of the camera mask go through every second pixel; at 50 m they are then less than a voxel apart."""

_CATEGORY_STARTS = {
    "movable_object.barrier": "barrier",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.motorcycle": "motorcycle",
    "human.pedestrian": "pedestrian",
    "movable_object.trafficcone": "traffic_cone",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
}


def label_of_category(category: str) -> int:
    """Occ3D's label of a nuScenes category; "others" for categories without a class."""
    names = [name for start, name in _CATEGORY_STARTS.items() if category.startswith(start)]
    return CLASSES.index(names[0]) if names else 0


@jit
def _is_inside(x, y, z, half, taper, kind):
    """Whether a point in a part's local frame lies in it."""
    if abs(z) > half[2]:
        return False
    if kind == FRUSTUM:
        rise = z + half[2]
        front = taper[0] if x > 0.0 else taper[1]
        return abs(x) <= half[0] - front * rise and abs(y) <= half[1] - taper[2] * rise
    u, v = x / half[0], y / half[1]
    if kind == ELLIPSOID:
        return u * u + v * v + (z / half[2]) ** 2 <= 1.0
    radius = 1.0 - (1.0 - taper[0]) * (z + half[2]) / (2.0 * half[2]) if kind == CONE else 1.0
    return u * u + v * v <= radius * radius


@jit
def _fill(voxels, first, end, rotation, centre, half, taper, kind, label, size):
    """Label the voxels of a range that hold a point of a part; all in voxel coordinates times `size`."""
    for i in range(first[0], end[0]):
        for j in range(first[1], end[1]):
            for k in range(first[2], end[2]):
                occupied = False
                for n in range(SUBSAMPLES**3):
                    dx = (i + (n // SUBSAMPLES**2 + 0.5) / SUBSAMPLES) * size - centre[0]
                    dy = (j + (n // SUBSAMPLES % SUBSAMPLES + 0.5) / SUBSAMPLES) * size - centre[1]
                    dz = (k + (n % SUBSAMPLES + 0.5) / SUBSAMPLES) * size - centre[2]
                    x = rotation[0, 0] * dx + rotation[1, 0] * dy + rotation[2, 0] * dz
                    y = rotation[0, 1] * dx + rotation[1, 1] * dy + rotation[2, 1] * dz
                    z = rotation[0, 2] * dx + rotation[1, 2] * dy + rotation[2, 2] * dz
                    if _is_inside(x, y, z, half, taper, kind):
                        occupied = True
                        break
                if occupied:
                    voxels[i, j, k] = label


def true_semantics(scene: Scene, frame: int, grid: VoxelGrid = GRID) -> np.ndarray:
    """Labels (X, Y, Z) uint8 around ego at a key frame; `grid` is in the ego frame and has cubes for voxels."""
    voxels = np.full(grid.shape, FREE, dtype=np.uint8)
    now = moment(scene, frame)
    _, _, ground = grid.indices(np.zeros(3))[0]
    voxels[:, :, ground] = _ground_labels(scene, now.world_T_ego, grid)
    parts = now.parts
    order = np.argsort(parts.owner >= 0, kind="stable")
    for p in order:
        _fill_part(voxels, parts, int(p), now.world_T_ego, _label(scene, parts, int(p)), grid)
    return voxels


def _label(scene: Scene, parts: Parts, p: int) -> int:
    owner = int(parts.owner[p])
    if owner >= 0:
        return label_of_category(scene.actors[owner].category)
    return CLASSES.index("vegetation" if parts.material[p] == FOLIAGE else "manmade")


def _fill_part(voxels: np.ndarray, parts: Parts, p: int, world_T_ego: np.ndarray, label: int, grid: VoxelGrid) -> None:
    size, low = grid.voxel_size[0], np.array(grid.low)
    rotation = world_T_ego[:3, :3]
    corners = (parts.select(np.array([p])).bounding_corners()[0] - world_T_ego[:3, 3]) @ rotation
    first = np.clip(np.floor((corners.min(axis=0) - low) / size).astype(np.int64), 0, grid.shape)
    end = np.clip(np.ceil((corners.max(axis=0) - low) / size).astype(np.int64), 0, grid.shape)
    if (first >= end).any():
        return
    centre = (parts.centre[p] - world_T_ego[:3, 3]) @ rotation - low
    axes = rotation.T @ parts.axes[p]
    _fill(voxels, first, end, axes, centre, parts.half[p], parts.taper[p], int(parts.kind[p]), label, size)


def _ground_labels(scene: Scene, world_T_ego: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    """Carriageway, sidewalk or terrain (X, Y) below the voxels' centres."""
    columns = grid.centres()[:, :, 0]
    places = columns @ world_T_ego[:3, :3].T + world_T_ego[:3, 3]
    at = (places[..., :2] / CELL).astype(np.float32)
    labels = np.full(grid.shape[:2], CLASSES.index("terrain"), dtype=np.uint8)
    distances = [
        np.abs(cv2.remap(offset, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=(1e6,))) - road.half_width
        for road, offset in zip(scene.network.roads, scene.network.offset, strict=True)
    ]
    for road, distance in zip(scene.network.roads, distances, strict=True):
        labels[distance < road.sidewalk_width] = CLASSES.index("sidewalk")
    labels[np.min(distances, axis=0) < 0] = CLASSES.index("driveable_surface")
    return labels


def true_labels(scene: Scene, frame: int, grid: VoxelGrid = GRID) -> OccupancyLabels:
    """Labels and masks around ego at a key frame."""
    semantics = true_semantics(scene, frame, grid)
    occupied = semantics != FREE
    return OccupancyLabels(
        semantics, _lidar_mask(scene, frame, occupied, grid), _camera_mask(scene, occupied, grid), grid
    )


def _camera_mask(scene: Scene, occupied: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    reach = float(np.linalg.norm(np.subtract(grid.bounds[3:], grid.low)))
    mask = np.zeros(grid.shape, dtype=bool)
    for camera in scene.rig.cameras:
        directions = camera.directions(1)[::CAMERA_STRIDE, ::CAMERA_STRIDE].reshape(-1, 3).astype(np.float64)
        mask |= _seen(occupied, camera.ego_T_camera, directions * reach, grid)
    return mask


def _lidar_mask(scene: Scene, frame: int, occupied: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    mask = np.zeros(grid.shape, dtype=bool)
    ends = beam_directions().reshape(-1, 3).astype(np.float64) * MAX_RANGE
    ego_T_world = np.linalg.inv(scene.world_T_ego(frame))
    for other in range(len(scene)):
        mask |= _seen(occupied, ego_T_world @ scene.world_T_ego(other) @ scene.rig.ego_T_lidar, ends, grid)
    return mask


def _seen(occupied: np.ndarray, ego_T_sensor: np.ndarray, ends: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    """Voxels that rays of a sensor reach; `ends` (N, 3) are in its frame. Rays from outside the grid aren't cast."""
    origin = ego_T_sensor[:3, 3]
    if not grid.indices(origin)[1]:
        return np.zeros(grid.shape, dtype=bool)
    targets = ends @ ego_T_sensor[:3, :3].T + origin
    return passed_voxels(occupied, grid.to_voxels(origin), grid.to_voxels(targets), blocked=True)


def export_occupancy(root: str | Path, version: str = "v1.0-trainval", workers: int = 2, progress: bool = True) -> int:
    """Writes the true labels of a generated data set, `gts/SCENE/TOKEN/labels.npz`; files that exist are kept.

    Args:
        root: Data root, as given to `generate`.
        version: Name of the folder of tables.
        workers: Processes.
        progress: Whether to show a progress bar.

    Returns:
        Number of samples with labels.

    Raises:
        FileNotFoundError: The data set was not generated here.
    """
    shards = sorted((Path(root) / version / SHARDS).glob("*.json"))
    if not shards:
        raise FileNotFoundError(f"{Path(root) / version / SHARDS}: no generated scenes; make the world first")
    jobs = [(str(root), str(shard)) for shard in shards]
    return sum(tqdm(_run(jobs, workers), total=len(jobs), desc="occupancy", unit="scene", disable=not progress))


def _run(jobs: list[tuple[str, str]], workers: int) -> Iterator[int]:
    if workers == 1 or len(jobs) < 2:
        yield from map(_export_scene, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        yield from pool.map(_export_scene, jobs)


def _export_scene(job: tuple[str, str]) -> int:
    root, shard = job
    recipe = json.loads(Path(shard).read_text(encoding="utf-8"))["recipe"]
    paths = [label_path(root, recipe["name"], token(recipe["name"], "sample", t)) for t in range(recipe["frames"])]
    missing = [t for t, path in enumerate(paths) if not path.exists()]
    if missing:
        scene = build_scene(recipe["name"], tuple(recipe["seed"]), recipe["frames"], tuple(recipe["image_size"]))
        for t in missing:
            write_labels(paths[t], true_labels(scene, t))
    return len(paths)
