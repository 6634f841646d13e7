"""A nuScenes release of a few hand-made samples: two cameras, a LiDAR without files, five objects, everything level."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from mmdet3d.structures import LiDARInstance3DBoxes

import bev  # noqa: F401  (lets mmdet3d import)
from bev.datasets.index_io import read_index
from bev.datasets.nuscenes.classes import label_mapping
from bev.datasets.occ3d import CLASSES, FREE, GRID, OccupancyLabels, label_path, write_labels

SPACING = 0.5  # seconds between samples
EGO_SPEED = 4.0  # m/s along global x
INTRINSIC = [[800.0, 0.0, 800.0], [0.0, 800.0, 450.0], [0.0, 0.0, 1.0]]
# Optical frames (x right, y down, z forward) of cameras that look along and against the ego's x axis.
FRONT, BACK = [0.5, -0.5, 0.5, -0.5], [0.5, -0.5, -0.5, 0.5]
# LIDAR_TOP's y axis points forward: turned by -90 degrees about z.
LIDAR_ROTATION = [math.cos(-math.pi / 4), 0.0, 0.0, math.sin(-math.pi / 4)]

# category, attribute, size (w, l, h), first position, velocity, yaw, LiDAR points, radar points, visibility
OBJECTS = (
    ("vehicle.car", "vehicle.moving", (1.9, 4.5, 1.6), (20.0, 3.0, 0.8), (6.0, 0.0), 0.0, 40, 2, "4"),
    ("human.pedestrian.adult", "pedestrian.standing", (0.6, 0.7, 1.8), (9.0, -2.0, 0.9), (0.0, 0.0), 1.0, 7, 0, "3"),
    ("vehicle.bicycle", "cycle.with_rider", (0.6, 1.7, 1.4), (-8.0, 2.0, 0.7), (2.0, 1.0), 0.5, 0, 3, "1"),
    ("movable_object.trafficcone", "", (0.4, 0.4, 1.0), (12.0, 5.0, 0.5), (0.0, 0.0), 0.0, 0, 0, "4"),
    ("human.pedestrian.stroller", "", (0.6, 1.0, 1.0), (7.0, -2.0, 0.5), (0.0, 0.0), 0.0, 5, 0, "4"),
)


def write_tables(
    root: Path,
    version: str = "v1.0-mini",
    scenes: tuple[str, ...] = ("scene-0103", "scene-0916"),
    samples: int = 3,
    annotated: bool = True,
    edit: Callable[[dict], None] | None = None,
) -> Path:
    """Writes the thirteen tables and a map picture under `root`, and returns `root`.

    Args:
        root: data root.
        version: folder of the tables.
        scenes: names of the scenes.
        samples: per scene.
        annotated: False leaves out annotations and instances, as the test release does.
        edit: changes the tables, {name: list of records}, before they are written.
    """
    tables = _constant_tables(scenes)
    for number, name in enumerate(scenes):
        _add_scene(tables, number, name, samples, annotated)
    if edit is not None:
        edit(tables)
    folder = root / version
    folder.mkdir(parents=True)
    for name, records in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(records), encoding="utf-8")
    (root / "maps").mkdir(exist_ok=True)
    (root / "maps" / "map.png").write_bytes(b"")
    return root


def true_objects(
    index: Path, only_visible: bool = True
) -> Iterator[tuple[dict, LiDARInstance3DBoxes, np.ndarray, list[str]]]:
    """Entries of an index with their objects of known classes: boxes (M, 9) in the LiDAR's frame, labels, attributes.

    Args:
        index: as `build_indexes` writes it.
        only_visible: leave out boxes that neither LiDAR nor radar has a point in.
    """
    content = read_index(index)
    classes = label_mapping(content["metainfo"])
    for entry in content["data_list"]:
        known = [
            (*instance["bbox_3d"], *np.nan_to_num(instance["velocity"]), classes[instance["bbox_label_3d"]], instance)
            for instance in entry["instances"]
            if classes[instance["bbox_label_3d"]] >= 0 and (instance["bbox_3d_isvalid"] or not only_visible)
        ]
        boxes = np.array([row[:9] for row in known], dtype=np.float32).reshape(-1, 9)
        labels = np.array([row[9] for row in known], dtype=np.int64)
        attributes = [row[10].get("attribute", "") for row in known]
        yield entry, LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5)), labels, attributes


def write_pictures(root: Path, index: str = "nuscenes_infos_mini_val.pkl") -> Path:
    """Writes a picture of noise for every camera of an index under `root`, and returns `root`."""
    random = np.random.default_rng(0)
    picture = cv2.resize(random.integers(0, 255, (90, 160, 3), np.uint8), (1600, 900))
    encoded = cv2.imencode(".jpg", picture)[1].tobytes()
    for record in read_index(root / index)["data_list"]:
        for image in record["images"].values():
            path = root / image["img_path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded)
    return root


def write_occupancy(root: Path, index: str = "nuscenes_infos_mini_val.pkl") -> Path:
    """Writes occupancy labels for every sample of an index under `root`, and returns `root`.

    A road, one voxel thick, with a car of 2 x 2 x 2 voxels 8 m ahead that only the camera mask leaves out; both masks
    hold all other voxels.
    """
    semantics = np.full(GRID.shape, FREE, np.uint8)
    semantics[:, 90:110, 2] = CLASSES.index("driveable_surface")
    car = (slice(120, 122), slice(98, 100), slice(3, 5))
    semantics[car] = CLASSES.index("car")
    everywhere = np.ones(GRID.shape, dtype=bool)
    seen = everywhere.copy()
    seen[car] = False
    for record in read_index(root / index)["data_list"]:
        path = label_path(root, record["scene_token"], record["token"])
        write_labels(path, OccupancyLabels(semantics, everywhere, seen))
    return root


def _constant_tables(scenes: tuple[str, ...]) -> dict[str, list[dict]]:
    channels = {"CAM_FRONT": FRONT, "CAM_BACK": BACK, "LIDAR_TOP": LIDAR_ROTATION}
    attributes = sorted({item[1] for item in OBJECTS if item[1]})
    return {
        "category": [{"token": item[0], "name": item[0], "description": ""} for item in OBJECTS],
        "attribute": [{"token": f"attribute-{name}", "name": name, "description": ""} for name in attributes],
        "visibility": [{"token": str(i), "level": "", "description": ""} for i in range(1, 5)],
        "sensor": [
            {"token": channel, "channel": channel, "modality": "lidar" if channel == "LIDAR_TOP" else "camera"}
            for channel in channels
        ],
        "calibrated_sensor": [
            {
                "token": f"calibration-{channel}",
                "sensor_token": channel,
                "translation": [0.0, 0.0, 1.8 if channel == "LIDAR_TOP" else 1.5],
                "rotation": rotation,
                "camera_intrinsic": [] if channel == "LIDAR_TOP" else INTRINSIC,
            }
            for channel, rotation in channels.items()
        ],
        "log": [{"token": "log", "logfile": "log", "vehicle": "v", "date_captured": "2020-01-01", "location": "here"}],
        "map": [{"token": "map", "category": "", "filename": "maps/map.png", "log_tokens": ["log"]}],
        **{name: [] for name in ("scene", "sample", "sample_data", "ego_pose", "instance", "sample_annotation")},
    }


def _add_scene(tables: dict[str, list[dict]], number: int, name: str, samples: int, annotated: bool) -> None:
    tokens = [f"{name}-{i}" for i in range(samples)]
    tables["scene"].append(
        {
            "token": name,
            "log_token": "log",
            "nbr_samples": samples,
            "first_sample_token": tokens[0],
            "last_sample_token": tokens[-1],
            "name": name,
            "description": "",
        }
    )
    for i, token in enumerate(tokens):
        time = int(1e6 * (1000.0 * (number + 1) + SPACING * i))
        neighbours = _neighbours(tokens, i)
        tables["sample"].append({"token": token, "timestamp": time, "scene_token": name, **neighbours})
        for late, channel in enumerate(("LIDAR_TOP", "CAM_FRONT", "CAM_BACK")):
            _add_sample_data(tables, token, channel, time + 10_000 * late, start=int(1e6 * 1000 * (number + 1)))
    if annotated:
        for position, item in enumerate(OBJECTS):
            _add_instance(tables, f"{name}-object{position}", tokens, item)


def _neighbours(tokens: list[str], i: int) -> dict[str, str]:
    return {"prev": tokens[i - 1] if i else "", "next": tokens[i + 1] if i + 1 < len(tokens) else ""}


def _add_sample_data(tables: dict[str, list[dict]], sample: str, channel: str, time: int, start: int) -> None:
    token = f"{sample}-{channel}"
    camera = channel != "LIDAR_TOP"
    position = [EGO_SPEED * (time - start) / 1e6, 0.0, 0.0]
    tables["ego_pose"].append(
        {"token": token, "timestamp": time, "rotation": [1.0, 0.0, 0.0, 0.0], "translation": position}
    )
    tables["sample_data"].append(
        {
            "token": token,
            "sample_token": sample,
            "ego_pose_token": token,
            "calibrated_sensor_token": f"calibration-{channel}",
            "timestamp": time,
            "fileformat": "jpg" if camera else "pcd",
            "is_key_frame": True,
            "height": 900 if camera else 0,
            "width": 1600 if camera else 0,
            "filename": f"samples/{channel}/{token}.{'jpg' if camera else 'pcd.bin'}",
            "prev": "",
            "next": "",
        }
    )


def _add_instance(tables: dict[str, list[dict]], instance: str, samples: list[str], item: tuple) -> None:
    category, attribute, size, position, velocity, yaw, lidar, radar, visibility = item
    tokens = [f"{instance}-{i}" for i in range(len(samples))]
    tables["instance"].append(
        {
            "token": instance,
            "category_token": category,
            "nbr_annotations": len(tokens),
            "first_annotation_token": tokens[0],
            "last_annotation_token": tokens[-1],
        }
    )
    for i, (token, sample) in enumerate(zip(tokens, samples, strict=True)):
        shift = np.array([*velocity, 0.0]) * SPACING * i
        tables["sample_annotation"].append(
            {
                "token": token,
                "sample_token": sample,
                "instance_token": instance,
                "visibility_token": visibility,
                "attribute_tokens": [f"attribute-{attribute}"] if attribute else [],
                "translation": (np.array(position) + shift).tolist(),
                "size": list(size),
                "rotation": [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)],
                **_neighbours(tokens, i),
                "num_lidar_pts": lidar,
                "num_radar_pts": radar,
            }
        )
