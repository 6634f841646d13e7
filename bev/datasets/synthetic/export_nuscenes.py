"""Writes a scene in the nuScenes v1.0 format: files under samples/ and maps/, and the scene's rows of the tables.

All sensors fire at the key frame's time, so one ego pose serves all of them. LiDAR points of key frames are labelled as
in nuScenes-lidarseg; between key frames the LiDAR may turn more often. There is no radar.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from pyquaternion import Quaternion

from bev.datasets.atomic import atomic_write
from bev.datasets.synthetic.nuscenes_tables import (
    attribute_tokens,
    category_token,
    sensor_token,
    token,
    visibility_token,
)
from bev.datasets.synthetic.observe import Observation, observe, sweeps_after
from bev.datasets.synthetic.rig import LIDAR_NAME, Rig
from bev.datasets.synthetic.scene import FRAME_INTERVAL, Actor, Scene
from bev.geometry import yaw_of

Tables = dict[str, list[dict]]

MIN_RAYS = 8
"""An object is annotated from the first to the last key frame in which so many camera rays or a LiDAR point hit it."""

ANNOTATED_RANGE = 80.0
"""Metres from ego."""

MAP_RESOLUTION = 0.1
"""Metres per pixel of map masks, as the devkit expects."""

_START = 1_600_000_000_000_000
_JPEG_QUALITY = 92


def write_scene(root: Path, scene: Scene, number: int, version: str = "v1.0-trainval", sweeps: int = 0) -> Tables:
    """Renders a scene and writes its files.

    Args:
        root: Data root.
        scene: The scene.
        number: Distinguishes its time of recording from that of other scenes.
        version: Name of the table folder, and so of the folder of labels.
        sweeps: Turns of the LiDAR between two key frames.

    Returns:
        Its rows of the tables `nuscenes_tables.SCENE_TABLES`.

    Raises:
        OSError: A file can't be written.
    """
    start = _START + number * 3_600_000_000
    times = [start + round(frame * FRAME_INTERVAL * 1e6) for frame in range(len(scene))]
    tables: Tables = {"calibrated_sensor": _calibrations(scene)}
    tables.update({name: [] for name in ("ego_pose", "sample", "sample_data", "lidarseg")})
    visible, covered, lidar_points = [], [], []
    for seen in observe(scene):
        tables["ego_pose"].append(_ego_pose(scene.world_T_ego(seen.frame), scene, seen.frame, times[seen.frame]))
        tables["sample"].append(_sample(scene, seen.frame, times[seen.frame]))
        tables["sample_data"] += _write_sensors(root, scene, seen, times[seen.frame])
        tables["lidarseg"].append(_write_categories(root, scene, seen, version))
        for rows in _write_sweeps(root, scene, seen.frame, times[seen.frame], sweeps):
            for name, row in rows.items():
                tables[name].append(row)
        visible.append(seen.visible)
        covered.append(seen.covered)
        lidar_points.append(seen.lidar_points)
    _link([row for row in tables["sample_data"] if f"/{LIDAR_NAME}/" in row["filename"]])
    tables.update(_annotations(scene, np.stack(visible), np.stack(covered), np.stack(lidar_points)))
    tables.update(_scene_rows(scene))
    _write_map(root / tables["map"][0]["filename"], scene)
    return tables


def _write_sensors(root: Path, scene: Scene, seen: Observation, time: int) -> list[dict]:
    """Writes pictures and points of a key frame; returns the rows of sample_data."""
    rows = []
    for camera in scene.rig.cameras:
        row = _sample_data(scene, camera.name, seen.frame, time, "jpg")
        row.update(width=camera.width, height=camera.height)
        _, data = cv2.imencode(".jpg", seen.views[camera.name].picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        _write(root / row["filename"], data.tobytes())
        rows.append(row)
    row = _sample_data(scene, LIDAR_NAME, seen.frame, time, "pcd")
    row.update(width=0, height=0)
    _write(root / row["filename"], seen.sweep.points.tobytes())
    return [*rows, row]


def _write_categories(root: Path, scene: Scene, seen: Observation, version: str) -> dict:
    """Writes the categories of a key frame's LiDAR points; returns the row of lidarseg."""
    name = token(scene.name, LIDAR_NAME, seen.frame)
    row = {"token": name, "sample_data_token": name, "filename": f"lidarseg/{version}/{name}_lidarseg.bin"}
    _write(root / row["filename"], seen.categories.tobytes())
    return row


def _write_sweeps(root: Path, scene: Scene, frame: int, time: int, count: int) -> Iterator[dict[str, dict]]:
    """Writes the LiDAR's points up to the next key frame; yields a row of ego_pose and one of sample_data each."""
    for share, world_T_ego, sweep in sweeps_after(scene, frame, count):
        moment = frame + share
        row = _sample_data(scene, LIDAR_NAME, frame, time + round(share * FRAME_INTERVAL * 1e6), "pcd")
        nearest = token(scene.name, "sample", frame + round(share))
        pose = _ego_pose(world_T_ego, scene, moment, row["timestamp"])
        row.update(token=token(scene.name, LIDAR_NAME, moment), sample_token=nearest, ego_pose_token=pose["token"])
        row.update(is_key_frame=False, filename=row["filename"].replace("samples/", "sweeps/"), width=0, height=0)
        _write(root / row["filename"], sweep.points.tobytes())
        yield {"ego_pose": pose, "sample_data": row}


def _link(rows: list[dict]) -> None:
    """Chains all records of a sensor, in the order of time."""
    tokens = ["", *(row["token"] for row in rows), ""]
    for row, before, after in zip(rows, tokens, tokens[2:], strict=False):
        row.update(prev=before, next=after)


def _write(path: Path, data: bytes) -> None:
    with atomic_write(path) as file:
        file.write(data)


def _sample_data(scene: Scene, channel: str, frame: int, time: int, fileformat: str) -> dict:
    ending = "pcd.bin" if fileformat == "pcd" else fileformat
    return {
        "token": token(scene.name, channel, frame),
        "sample_token": token(scene.name, "sample", frame),
        "ego_pose_token": token(scene.name, "ego_pose", frame),
        "calibrated_sensor_token": token(scene.name, "calibrated_sensor", channel),
        "timestamp": time,
        "fileformat": fileformat,
        "is_key_frame": True,
        "filename": f"samples/{channel}/{scene.name}__{channel}__{time}.{ending}",
        **_neighbours(scene, channel, frame),
    }


def _neighbours(scene: Scene, kind: str, frame: int) -> dict[str, str]:
    """Tokens of the previous and the next key frame's record, empty at the ends."""
    return {
        "prev": token(scene.name, kind, frame - 1) if frame > 0 else "",
        "next": token(scene.name, kind, frame + 1) if frame + 1 < len(scene) else "",
    }


def _sample(scene: Scene, frame: int, time: int) -> dict:
    return {
        "token": token(scene.name, "sample", frame),
        "timestamp": time,
        "scene_token": token(scene.name),
        **_neighbours(scene, "sample", frame),
    }


def _ego_pose(world_T_ego: np.ndarray, scene: Scene, frame: float, time: int) -> dict:
    return {
        "token": token(scene.name, "ego_pose", frame),
        "timestamp": time,
        "rotation": _yaw_quaternion(yaw_of(world_T_ego)),
        "translation": world_T_ego[:3, 3].tolist(),
    }


def _yaw_quaternion(yaw: float) -> list[float]:
    return [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]


def _calibrations(scene: Scene) -> list[dict]:
    rig: Rig = scene.rig
    sensors = [(camera.name, camera.ego_T_camera, camera.intrinsic.tolist()) for camera in rig.cameras]
    return [
        {
            "token": token(scene.name, "calibrated_sensor", name),
            "sensor_token": sensor_token(name),
            "translation": pose[:3, 3].tolist(),
            "rotation": Quaternion(matrix=pose[:3, :3]).elements.tolist(),
            "camera_intrinsic": intrinsic,
        }
        for name, pose, intrinsic in [*sensors, (LIDAR_NAME, rig.ego_T_lidar, [])]
    ]


def _scene_rows(scene: Scene) -> Tables:
    """Rows of the tables scene, log and map; each scene has a log and a map of its own."""
    log = token(scene.name, "log")
    name = token(scene.name, "map")
    return {
        "scene": [
            {
                "token": token(scene.name),
                "log_token": log,
                "nbr_samples": len(scene),
                "first_sample_token": token(scene.name, "sample", 0),
                "last_sample_token": token(scene.name, "sample", len(scene) - 1),
                "name": scene.name,
                "description": scene.description,
            }
        ],
        "log": [
            {
                "token": log,
                "logfile": scene.name,
                "vehicle": "synthetic",
                "date_captured": "2020-09-13",
                "location": "synthetic",
            }
        ],
        "map": [{"token": name, "category": "semantic_prior", "filename": f"maps/{name}.png", "log_tokens": [log]}],
    }


def _annotations(scene: Scene, visible: np.ndarray, covered: np.ndarray, lidar_points: np.ndarray) -> Tables:
    """Rows of the tables instance and sample_annotation from observations (T, K)."""
    positions = np.stack([actor.positions for actor in scene.actors], axis=1)
    near = np.linalg.norm(positions - scene.ego_positions[:, None], axis=-1) < ANNOTATED_RANGE
    noticed = near & ((visible >= MIN_RAYS) | (lidar_points > 0))
    tables: Tables = {"instance": [], "sample_annotation": []}
    for actor in scene.actors:
        frames = np.flatnonzero(noticed[:, actor.owner])
        if not len(frames):
            continue
        first, last = int(frames[0]), int(frames[-1])
        tables["instance"].append(
            {
                "token": token(scene.name, "instance", actor.owner),
                "category_token": category_token(actor.category),
                "nbr_annotations": last - first + 1,
                "first_annotation_token": _annotation_token(scene, actor, first),
                "last_annotation_token": _annotation_token(scene, actor, last),
            }
        )
        for frame in range(first, last + 1):
            row = _annotation(scene, actor, frame, first, last)
            row["visibility_token"] = visibility_token(visible[frame, actor.owner], covered[frame, actor.owner])
            row["num_lidar_pts"] = int(lidar_points[frame, actor.owner])
            tables["sample_annotation"].append(row)
    return tables


def _annotation_token(scene: Scene, actor: Actor, frame: int) -> str:
    return token(scene.name, "annotation", actor.owner, frame)


def _annotation(scene: Scene, actor: Actor, frame: int, first: int, last: int) -> dict:
    length, width, height = actor.size
    return {
        "token": _annotation_token(scene, actor, frame),
        "sample_token": token(scene.name, "sample", frame),
        "instance_token": token(scene.name, "instance", actor.owner),
        "attribute_tokens": attribute_tokens(actor.attributes[frame]),
        "translation": [float(value) for value in actor.centre(frame)],
        "size": [width, length, height],
        "rotation": _yaw_quaternion(float(actor.yaws[frame])),
        "prev": _annotation_token(scene, actor, frame - 1) if frame > first else "",
        "next": _annotation_token(scene, actor, frame + 1) if frame < last else "",
        "num_radar_pts": 0,
    }


def _write_map(path: Path, scene: Scene) -> None:
    """Mask of carriageways and sidewalks; the first row of the picture is the north edge."""
    width, height = (round(side / MAP_RESOLUTION) for side in scene.network.extent)
    mask = np.zeros((height, width), dtype=np.uint8)
    for road, offset in zip(scene.network.roads, scene.network.offset, strict=True):
        fine = cv2.resize(offset[:-1, :-1], (width, height), interpolation=cv2.INTER_LINEAR)
        mask[np.abs(fine) < road.half_width + road.sidewalk_width] = 255
    _, data = cv2.imencode(".png", mask[::-1])
    _write(path, data.tobytes())
