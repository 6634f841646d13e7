"""Lane topology of the procedural world in the format of OpenLane-V2's subset B, beside its nuScenes-style tables.

Frames are the key frames of the nuScenes-style data set, under the same images and times, so that one data set has
boxes, occupancy and lanes. Lanes are those of the road network within reach of ego, cut at its border; traffic elements
are the lights and signs that the front camera sees.

Shapes: n lanes, k traffic elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bev.datasets.nuscenes.index_tables import read_splits
from bev.datasets.openlane_v2.annotations import evenly_spaced
from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.datasets.parallel import run_forked
from bev.datasets.synthetic.film import SUPERSAMPLING
from bev.datasets.synthetic.lane_graph import Lane, lane_graph
from bev.datasets.synthetic.raycast import NOTHING
from bev.datasets.synthetic.render import CameraRenderer, moment
from bev.datasets.synthetic.rig import Camera
from bev.datasets.synthetic.scene import Scene
from bev.datasets.synthetic.shards import finished_shards, read_shard, recipe_digest, scene_of
from bev.datasets.synthetic.signals import governed
from bev.datasets.text_files import TextFileError, read_json, write_json
from bev.errors import InputError

SUBSET = "B"
REACH = (50.0, 25.0)
"""Half size along x and y of the region in the ego frame whose lanes OpenLane-V2 annotates, metres."""

LANE_POINTS = 201
MIN_LENGTH = 3.0
"""Shorter rests of lanes at the border are left out, metres."""

MIN_SIDE = 2.0
"""Narrower or lower traffic elements are not annotated, pixels."""

MIN_SEEN = 0.35
"""Least share of an element's box that rays must hit it in."""

MIN_FACING = 0.5
"""Least cosine between the direction that an element faces and that to the camera."""

_STEP = 0.5
_ID_FACTOR = 10


class _Piece(NamedTuple):
    """The part of a lane that is within reach: number of the lane, part of it, points (201, 3), and its ends."""

    lane: int
    part: int
    points: np.ndarray
    has_start: bool
    has_end: bool


def frame_annotation(
    scene: Scene, frame: int, lanes: list[Lane], renderer: CameraRenderer, reach: tuple[float, float] = REACH
) -> dict[str, Any]:
    """Annotation of a key frame.

    Args:
        scene: The scene.
        frame: Number of the key frame.
        lanes: `lane_graph` of the scene's network.
        renderer: Of the front camera.
        reach: Half size along x and y of the region whose lanes are annotated, metres.
    """
    pieces = [piece for i, lane in enumerate(lanes) for piece in _pieces(i, lane, scene.world_T_ego(frame), reach)]
    elements = _elements(scene, frame, renderer)
    follows = [
        [bool(a.has_end and b.has_start and b.lane in lanes[a.lane].successors) for b in pieces] for a in pieces
    ]
    told = [set(governed(scene.signals[i], lanes, scene.network, scene.scenery)) for i, _ in elements]
    return {
        "lane_centerline": [
            {"id": _ID_FACTOR * piece.lane + piece.part, "points": np.round(piece.points, 4).tolist()}
            for piece in pieces
        ],
        "traffic_element": [
            {
                "id": _ID_FACTOR * len(lanes) + i,
                "category": scene.signals[i].category,
                "attribute": ATTRIBUTES.index(scene.signals[i].meaning),
                "points": np.round(box.reshape(2, 2), 2).tolist(),
            }
            for i, box in elements
        ],
        "topology_lclc": np.array(follows, dtype=int).reshape(len(pieces), len(pieces)).tolist(),
        "topology_lcte": [[int(piece.lane in lanes_) for lanes_ in told] for piece in pieces],
    }


def _pieces(number: int, lane: Lane, world_T_ego: np.ndarray, reach: tuple[float, float]) -> Iterator[_Piece]:
    """The parts of a lane within reach of ego."""
    count = max(2, int(np.ceil(lane.path.length / _STEP)) + 1)
    world = lane.path.at(np.linspace(0.0, lane.path.length, count))[0]
    points = (world - world_T_ego[:2, 3]) @ world_T_ego[:2, :2]
    inside = np.concatenate([[False], (np.abs(points) <= reach).all(axis=1), [False]])
    borders = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    for part, (first, end) in enumerate(borders):
        if (end - 1 - first) * lane.path.length / (count - 1) >= MIN_LENGTH:
            flat = np.concatenate([points[first:end], np.zeros((end - first, 1))], axis=1)
            yield _Piece(number, part, evenly_spaced(flat, LANE_POINTS), first == 0, end == count)


def _elements(scene: Scene, frame: int, renderer: CameraRenderer) -> list[tuple[int, np.ndarray]]:
    """Numbers and boxes (4,) of the signals that the front camera sees, from the front."""
    camera, now = scene.rig.cameras[0], moment(scene, frame)
    world_T_camera = now.world_T_ego @ camera.ego_T_camera
    candidates = []
    for i, signal in enumerate(scene.signals):
        away = world_T_camera[:2, 3] - signal.place(scene.scenery)[:2]
        faces = np.array([np.cos(signal.yaw), np.sin(signal.yaw)]) @ away > MIN_FACING * np.linalg.norm(away)
        box = _box(scene.scenery.select(np.arange(*signal.rows)).bounding_corners(), world_T_camera, camera)
        if faces and box is not None:
            candidates.append((i, box))
    if not candidates:
        return []
    part = renderer.cast(now)[1].part
    first = len(now.parts) - len(now.scenery)
    rows = np.where(part >= first, np.append(now.scenery, NOTHING)[np.maximum(part - first, NOTHING)], NOTHING)
    return [(i, box) for i, box in candidates if _seen(rows, scene.signals[i].rows, box) >= MIN_SEEN]


def _box(corners: np.ndarray, world_T_camera: np.ndarray, camera: Camera) -> np.ndarray | None:
    """Left, top, right, bottom in the image of corners (P, 8, 3); None if it is too small or beyond the image."""
    points = (corners.reshape(-1, 3) - world_T_camera[:3, 3]) @ world_T_camera[:3, :3]
    if points[:, 2].min() < 1.0:
        return None
    pixels = points @ camera.intrinsic.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    cut = np.clip(box, 0, [camera.width, camera.height] * 2)
    size, whole = cut[2:] - cut[:2], box[2:] - box[:2]
    return cut if (size >= MIN_SIDE).all() and size.prod() > 0.5 * whole.prod() else None


def _seen(rows: np.ndarray, wanted: tuple[int, int], box: np.ndarray) -> float:
    """Share of the rays in a box that hit scenery parts of a range; `rows` (H * S, W * S) says what each ray hit."""
    left, top = np.floor(box[:2] * SUPERSAMPLING).astype(int)
    right, bottom = np.ceil(box[2:] * SUPERSAMPLING).astype(int)
    window = rows[top:bottom, left:right]
    return float(((window >= wanted[0]) & (window < wanted[1])).mean())


def export_openlane(
    root: str | Path,
    version: str = "v1.0-trainval",
    workers: int = 2,
    progress: bool = True,
    reach: tuple[float, float] = REACH,
) -> int:
    """Writes annotations of a generated data set: SPLIT/SCENE/info/TIME.json and `data_dict_subset_B.json`.

    Finished scenes are kept, unless they were made for another reach or the scene was made anew by another recipe.

    Args:
        root: Data root, as given to `generate`.
        version: Name of the folder of tables.
        workers: Processes.
        progress: Whether to show a progress bar.
        reach: Half size along x and y of the region around ego whose lanes are annotated, metres.

    Returns:
        Number of annotated frames.

    Raises:
        FileNotFoundError: The data set was not generated here.
        InputError: The reach is not positive.
    """
    if min(reach) <= 0:
        raise InputError(f"the reach must be positive along x and y, got {reach}")
    root = Path(root)
    shards = finished_shards(root, version)
    splits = read_splits(root / version / "splits.json")
    split_of = {scene: split for split in ("train", "val") for scene in splits.get(split, ())}
    jobs = [(str(root), str(shard), split_of[shard.stem], reach) for shard in shards if shard.stem in split_of]
    done = run_forked(_export_scene, jobs, workers)
    files = sorted(tqdm(done, total=len(jobs), desc="lanes", unit="scene", disable=not progress))
    listed = {split: {scene: names for of, scene, names in files if of == split} for split in ("train", "val")}
    write_json(root / f"data_dict_subset_{SUBSET}.json", listed)
    return sum(len(names) for _, _, names in files)


def _export_scene(job: tuple[str, str, str, tuple[float, float]]) -> tuple[str, str, list[str]]:
    """Writes a scene's files and returns its split, its name and theirs."""
    root, shard, split, reach = Path(job[0]), read_shard(job[1]), job[2], job[3]
    recipe = shard["recipe"]
    folder = root / split / recipe["name"] / "info"
    times = sorted(row["timestamp"] for row in shard["tables"]["sample"])
    files = [folder / f"{time}.json" for time in times]
    made_for = {"reach": list(reach), "recipe": recipe_digest(recipe)}
    # The last file goes first and comes last: where it is, the others are made for the same.
    kept = files[-1].exists() and _is_made_for(files[-1], made_for)
    if not kept:
        files[-1].unlink(missing_ok=True)
    missing = [t for t, file in enumerate(files) if not (kept and file.exists())]
    if missing:
        scene = scene_of(recipe)
        lanes, renderer = lane_graph(scene.network), CameraRenderer(scene, scene.rig.cameras[0])
        images = _image_paths(shard["tables"]["sample_data"])
        for t in missing:
            annotation = frame_annotation(scene, t, lanes, renderer, reach)
            write_json(files[t], _frame(scene, t, times[t], images[times[t]], annotation, made_for))
    return split, recipe["name"], [file.name for file in files]


def _is_made_for(file: Path, made_for: dict[str, Any]) -> bool:
    """Whether a file is whole and was made for this reach and recipe."""
    try:
        meta = read_json(file, dict).get("meta_data")
    except TextFileError:
        return False
    return isinstance(meta, dict) and all(meta.get(key) == value for key, value in made_for.items())


def _image_paths(rows: list[dict]) -> dict[int, dict[str, str]]:
    """Paths by time and camera."""
    paths: dict[int, dict[str, str]] = {}
    for row in rows:
        if row["fileformat"] == "jpg":
            paths.setdefault(row["timestamp"], {})[row["filename"].split("/")[1]] = row["filename"]
    return paths


def _frame(
    scene: Scene,
    frame: int,
    time: int,
    images: Mapping[str, str],
    annotation: dict[str, Any],
    made_for: dict[str, Any],
) -> dict[str, Any]:
    """A frame as in the official files; image paths lead to the nuScenes-style pictures."""
    return {
        "version": "synthetic",
        "segment_id": scene.name,
        "meta_data": {"source": "synthetic", "source_id": scene.name, **made_for},
        "timestamp": time,
        "sensor": {
            camera.name: {
                "image_path": images[camera.name],
                "extrinsic": _pose(camera.ego_T_camera),
                "intrinsic": {"K": camera.intrinsic.tolist(), "distortion": [0.0, 0.0, 0.0]},
            }
            for camera in scene.rig.cameras
        },
        "pose": _pose(scene.world_T_ego(frame)),
        "annotation": annotation,
    }


def _pose(matrix: np.ndarray) -> dict[str, list]:
    return {"rotation": matrix[:3, :3].tolist(), "translation": matrix[:3, 3].tolist()}
