"""True occupancy of the procedural world, in the format of Occ3D.

A voxel is occupied if a solid holds one of 5 x 5 x 5 points in it, those on its faces included, or if the ground runs
through it; annotated objects count before other solids, and solids before the ground. The camera mask comes from rays
of the key frame's cameras through these voxels, the LiDAR mask from the beams of all key frames of the scene: seen are
the voxels in which beams end, on moving objects where these are now, and the free ones that beams pass.

Shapes: X, Y, Z voxels; P parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from bev.datasets.occ3d.classes import FREE, GRID, label_of_category
from bev.datasets.occ3d.labels import FOLDER, OccupancyLabels, label_path, write_labels
from bev.datasets.occ3d.visibility import PinholeView, camera_mask
from bev.datasets.parallel import run_forked
from bev.datasets.synthetic.lidar import MAX_RANGE, beam_directions, cast_beams
from bev.datasets.synthetic.nuscenes_tables import token
from bev.datasets.synthetic.parts import CONE, ELLIPSOID, FRUSTUM, Parts
from bev.datasets.synthetic.raycast import owner_map
from bev.datasets.synthetic.render import moment
from bev.datasets.synthetic.scene import Actor, Scene
from bev.datasets.synthetic.semantics import CATEGORIES, ground_categories, part_categories
from bev.datasets.synthetic.shards import finished_shards, read_shard, recipe_digest, scene_of
from bev.datasets.text_files import TextFileError, read_json, write_json
from bev.geometry import rotation_z, transform_points
from bev.geometry.compiled import jit
from bev.geometry.voxel_rays import passed_voxels
from bev.geometry.voxels import VoxelGrid

SUBSAMPLES = 5
"""Points per voxel along each axis, the faces included."""

MADE_FOR = "recipe.json"
"""File in a scene's folder that says which recipe its labels were made for; it exists once they all do."""

_LABELS = np.array([label_of_category(category) for category in CATEGORIES], dtype=np.uint8)

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
                    dx = (i + n // SUBSAMPLES**2 / (SUBSAMPLES - 1)) * size - centre[0]
                    dy = (j + n // SUBSAMPLES % SUBSAMPLES / (SUBSAMPLES - 1)) * size - centre[1]
                    dz = (k + n % SUBSAMPLES / (SUBSAMPLES - 1)) * size - centre[2]
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
    labels = _LABELS[part_categories(scene, parts)]
    for p in np.argsort(parts.owner >= 0, kind="stable"):
        _fill_part(voxels, parts, int(p), now.world_T_ego, int(labels[p]), grid)
    return voxels


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
    """Labels (X, Y) of the ground below the voxels' centres."""
    places = transform_points(grid.centres()[:, :, 0], world_T_ego)
    return _LABELS[ground_categories(scene.network, places[..., :2])]


class Beams(NamedTuple):
    """What the LiDAR hit in a key frame.

    Attributes:
        origin: (3,) the sensor in the world, metres.
        ends: (R, 3) in the world; of beams that hit nothing at their largest range.
        owners: (R,) int32, the object that each beam hit, or `BACKGROUND`.
        hit: (R,) bool, whether it hit anything.
    """

    origin: np.ndarray
    ends: np.ndarray
    owners: np.ndarray
    hit: np.ndarray


def lidar_beams(scene: Scene) -> list[Beams]:
    """The beams of all key frames, without the losses of a real sensor."""
    beams = []
    for frame in range(len(scene)):
        now = moment(scene, frame)
        hits = cast_beams(now.parts, now.world_T_ego, scene.rig.ego_T_lidar, len(scene.actors))
        world_T_lidar = now.world_T_ego @ scene.rig.ego_T_lidar
        ends = (beam_directions() * np.minimum(hits.depth, MAX_RANGE)[..., None]).reshape(-1, 3).astype(np.float64)
        beams.append(
            Beams(
                world_T_lidar[:3, 3],
                transform_points(ends, world_T_lidar),
                owner_map(hits, now.parts).reshape(-1),
                (hits.depth < MAX_RANGE).reshape(-1),
            )
        )
    return beams


def true_labels(scene: Scene, frame: int, beams: list[Beams], grid: VoxelGrid = GRID) -> OccupancyLabels:
    """Labels and masks around ego at a key frame; `beams` are those of all key frames (`lidar_beams`)."""
    semantics = true_semantics(scene, frame, grid)
    occupied = semantics != FREE
    views = [PinholeView(view.ego_T_camera, view.intrinsic, view.width, view.height) for view in scene.rig.cameras]
    lidar = _lidar_mask(scene, frame, beams, occupied, grid)
    return OccupancyLabels(semantics, lidar, camera_mask(occupied, views, grid), grid)


def _lidar_mask(scene: Scene, frame: int, beams: list[Beams], occupied: np.ndarray, grid: VoxelGrid) -> np.ndarray:
    passed, hit = np.zeros(grid.shape, dtype=bool), np.zeros(grid.shape, dtype=bool)
    ego_T_world = np.linalg.inv(scene.world_T_ego(frame))

    for then, turn in enumerate(beams):
        start, ends = (grid.to_voxels(transform_points(place, ego_T_world)) for place in (turn.origin, turn.ends))
        passed |= passed_voxels(occupied, start, ends, blocked=False)
        places = turn.ends.copy()
        for owner in np.unique(turn.owners[turn.owners >= 0]):
            actor, own = scene.actors[owner], turn.owners == owner
            places[own] = _carried(places[own], actor, then, frame)
        voxels, inside = grid.indices(transform_points(places[turn.hit], ego_T_world))
        hit[tuple(voxels[inside].T)] = True
    return hit | (passed & ~occupied)


def _carried(points: np.ndarray, actor: Actor, then: int, now: int) -> np.ndarray:
    """Where points (N, 3) on an object at one key frame are at another."""
    turn = rotation_z(float(actor.yaws[now] - actor.yaws[then]))
    return (points - actor.centre(then)) @ turn[:3, :3].T + actor.centre(now)


def export_occupancy(root: str | Path, version: str = "v1.0-trainval", workers: int = 2, progress: bool = True) -> int:
    """Writes the true labels of a generated data set, `gts/SCENE/TOKEN/labels.npz`.

    Finished scenes are kept, unless they were made anew by another recipe.

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
    jobs = [(str(root), str(shard)) for shard in finished_shards(root, version)]
    done = run_forked(_export_scene, jobs, workers)
    return sum(tqdm(done, total=len(jobs), desc="occupancy", unit="scene", disable=not progress))


def _export_scene(job: tuple[str, str]) -> int:
    root, shard = job
    recipe = read_shard(shard)["recipe"]
    paths = [label_path(root, recipe["name"], token(recipe["name"], "sample", t)) for t in range(recipe["frames"])]
    record, made_for = Path(root) / FOLDER / recipe["name"] / MADE_FOR, {"recipe": recipe_digest(recipe)}
    kept = _holds(record, made_for)
    if not kept:
        record.unlink(missing_ok=True)  # labels of two recipes must not pass for those of the old one
    missing = [t for t, path in enumerate(paths) if not (kept and path.exists())]
    if missing:
        scene = scene_of(recipe)
        beams = lidar_beams(scene)
        for t in missing:
            write_labels(paths[t], true_labels(scene, t, beams))
    if not kept:
        write_json(record, made_for)
    return len(paths)


def _holds(file: Path, content: dict[str, str]) -> bool:
    try:
        return file.exists() and read_json(file) == content
    except TextFileError:
        return False
