"""OpenLane-V2 data of a few hand-made frames: seven cameras, the front one portrait, or six; three lanes each."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

CAMERAS = {
    "A": {
        "ring_front_center": 0.0,
        "ring_front_left": 50.0,
        "ring_front_right": -50.0,
        "ring_rear_left": 150.0,
        "ring_rear_right": -150.0,
        "ring_side_left": 100.0,
        "ring_side_right": -100.0,
    },
    "B": {
        "CAM_FRONT": 0.0,
        "CAM_FRONT_RIGHT": -55.0,
        "CAM_FRONT_LEFT": 55.0,
        "CAM_BACK": 180.0,
        "CAM_BACK_LEFT": 110.0,
        "CAM_BACK_RIGHT": -110.0,
    },
}
SIZES = {"ring_front_center": (96, 64)}  # height, width; the other cameras have SIZE
SIZE = (64, 96)
FRAMES = {"train": {"00000": 3, "00001": 2}, "val": {"00002": 2}}
FIRST = {"A": 315967376899927209, "B": 1531883530412470}
STEP = {"A": 500_000_000, "B": 500_000}
SPEED = 4.0  # metres per second along the vehicle's x axis, which is global y


def timestamps(subset: str, segment: str, count: int) -> list[int]:
    """Of the frames of a segment."""
    return [FIRST[subset] + (100 * int(segment) + i) * STEP[subset] for i in range(count)]


def write_openlane(
    root: Path, subset: str = "A", edit: Callable[[dict, str], None] | None = None, images: bool = True
) -> Path:
    """Writes list of frames, annotations of both formats and pictures of noise; returns `root`.

    Args:
        root: Data root.
        subset: "A" or "B".
        edit: Changes a frame's data, given its identifier split/segment/timestamp, before it is written.
        images: False leaves the pictures out.
    """
    frames = {
        split: {name: [f"{time}.json" for time in timestamps(subset, name, count)] for name, count in segments.items()}
        for split, segments in FRAMES.items()
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / f"data_dict_subset_{subset}.json").write_text(json.dumps(frames), encoding="utf-8")
    for split, segments in frames.items():
        for name, files in segments.items():
            for number, file in enumerate(files):
                stem = Path(file).stem
                for ending, annotation in (("", centerlines(number)), ("-ls", segments_2024(number))):
                    frame = make_frame(subset, split, name, stem, number, annotation)
                    if edit is not None:
                        edit(frame, f"{split}/{name}/{stem}{ending}")
                    path = root / split / name / "info" / f"{stem}{ending}.json"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(frame), encoding="utf-8")
                if images:
                    _write_pictures(root, frame)
    return root


def write_collections(root: Path, subset: str = "A") -> None:
    """Writes the devkit's collections of the data under `root`: centrelines of 201 points to train, of 11 to judge."""
    for split, segments in json.loads((root / f"data_dict_subset_{subset}.json").read_text()).items():
        collection = {}
        for name, files in segments.items():
            for file in files:
                frame = json.loads((root / split / name / "info" / file).read_text())
                for lane in frame["annotation"]["lane_centerline"]:
                    lane["points"] = np.array(lane["points"][:: 1 if split == "train" else 20], dtype=np.float32)
                collection[split, name, Path(file).stem] = frame
        with (root / f"data_dict_subset_{subset}_{split}.pkl").open("wb") as stream:
            pickle.dump(collection, stream)


def make_frame(subset: str, split: str, segment: str, timestamp: str, number: int, annotation: dict) -> dict:
    """A frame as in the official JSON files."""
    sensors = {}
    for name, yaw in CAMERAS[subset].items():
        height, width = SIZES.get(name, SIZE)
        cosine, sine = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        # Columns: the camera's axes right, down and ahead in the vehicle's frame.
        rotation = [[sine, 0.0, cosine], [-cosine, 0.0, sine], [0.0, -1.0, 0.0]]
        sensors[name] = {
            "image_path": f"{split}/{segment}/image/{name}/{timestamp}.jpg",
            "extrinsic": {"rotation": rotation, "translation": [1.5 * cosine, 0.5 * sine, 1.5]},
            "intrinsic": {"K": [[50.0, 0, width / 2], [0, 50.0, height / 2], [0, 0, 1]], "distortion": [0, 0, 0]},
        }
    return {
        "version": "OpenLane-V2",
        "segment_id": segment,
        "meta_data": {"source": "tiny", "source_id": segment},
        "timestamp": int(timestamp),
        "sensor": sensors,
        "pose": {
            "rotation": [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
            "translation": [100.0, 50.0 + 0.5 * SPEED * number, 2.0],
        },
        "annotation": annotation,
    }


def curve(start: tuple[float, float], end: tuple[float, float], bend: float, count: int = 201) -> np.ndarray:
    """A curve (count, 3) that leaves along +x."""
    t = np.linspace(0, 1, count)[:, None]
    points = (1 - t) * np.array([*start, 0.0]) + t * np.array([*end, 0.0])
    points[:, 1] += bend * (t * (1 - t))[:, 0]
    return points


def lanes(number: int) -> list[np.ndarray]:
    """One lane ahead, and two that it leads into."""
    x = 20.0 - 2.0 * number
    return [curve((0, 0), (x, 0), 0), curve((x, 0), (x + 20, 8), 2), curve((x, 0), (x + 18, -6), -2)]


def elements() -> list[dict]:
    """A red light and a sign to turn left, in the front image."""
    return [
        {"id": 7, "category": 1, "attribute": 1, "points": [[10.5, 20.0], [16.5, 32.0]]},
        {"id": 9, "category": 2, "attribute": 5, "points": [[40.0, 24.0], [48.0, 33.0]]},
    ]


RELATIONS = ([[0, 1, 1], [0, 0, 0], [0, 0, 0]], [[1, 0], [0, 1], [0, 0]])


def centerlines(number: int) -> dict:
    """Annotation of 2023."""
    instances = [{"id": 10 + i, "points": points.tolist()} for i, points in enumerate(lanes(number))]
    return {
        "lane_centerline": instances,
        "traffic_element": elements(),
        "topology_lclc": RELATIONS[0],
        "topology_lcte": RELATIONS[1],
    }


def segments_2024(number: int) -> dict:
    """Annotation of 2024."""
    instances = [
        {
            "id": 10 + i,
            "centerline": points[::10].tolist(),
            "left_laneline": (points[::50] + np.array([0, 1.8, 0])).tolist(),
            "left_laneline_type": 2,
            "right_laneline": (points[::50] - np.array([0, 1.8, 0])).tolist(),
            "right_laneline_type": 1,
            "is_intersection_or_connector": i > 0,
        }
        for i, points in enumerate(lanes(number))
    ]
    area = {"id": 3, "category": 1, "points": [[18, -4, 0], [18, 4, 0], [21, 4, 0], [21, -4, 0], [18, -4, 0]]}
    return {
        "lane_segment": instances,
        "traffic_element": elements(),
        "area": [area],
        "topology_lsls": RELATIONS[0],
        "topology_lste": RELATIONS[1],
    }


def _write_pictures(root: Path, frame: dict) -> None:
    for number, (name, sensor) in enumerate(frame["sensor"].items()):
        height, width = SIZES.get(name, SIZE)
        path = root / sensor["image_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        cv2.imwrite(str(path), noise)
