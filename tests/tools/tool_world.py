"""A folder with a small specimen of everything that the tools read, and what spoils such a file."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from attack import Attack
from small_models import checkpoint_of, small_config
from tiny_nuscenes import write_occupancy, write_pictures, write_tables
from tiny_openlane import write_collections, write_openlane
from tiny_waymo import write_release
from tool_runs import Finished

import bev
from bev.datasets.index_io import read_index
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.nuscenes.submission import box_record, write_submission
from bev.datasets.occ3d import FREE, GRID
from bev.datasets.occ3d.submission import write_prediction
from bev.datasets.openlane_v2.devkit_format import annotation_of
from bev.datasets.openlane_v2.index_build import build_indexes as build_lane_indexes
from bev.datasets.synthetic import generate
from bev.datasets.waymo.index_build import build_indexes as build_waymo_indexes
from bev.datasets.waymo.objects import objects_from_arrays
from bev.models.backbones import build_internimage
from bev.visualization import write_mp4

INDEX = "nus/nuscenes_infos_mini_val.pkl"
MARKER = "attacked"
CAMERA = {
    "intrinsic": [[80, 0, 80], [0, 80, 45], [0, 0, 1]],
    "ego_T_cam": [[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]],
}


def build_world(root: Path) -> Path:
    """Writes the folder; paths in it are relative to it."""
    bev.register_all()
    _write_nuscenes(root)
    _write_lanes(root)
    _write_waymo(root)
    _write_models(root)
    _write_pictures(root)
    generate(root / "syn", scenes=1, val_scenes=0, frames=2, seed=5, workers=1, image_size=(64, 36), progress=False)
    (root / "file").write_text("where a folder is asked for")
    return root


def _write_nuscenes(root: Path) -> None:
    data = write_tables(root / "nus", scenes=("scene-0103",), samples=2)
    build_indexes(data, "v1.0-mini")
    write_occupancy(write_pictures(data))
    tokens = [record["token"] for record in read_index(root / INDEX)["data_list"]]
    for token in tokens:
        write_prediction(root / "occ", token, np.full(GRID.shape, FREE, np.uint8))
    box = np.array([10.0, 2.0, 0.8, 4.0, 2.0, 1.6, 0.0, 1.0, 0.0])
    boxes = {token: [box_record(box, 0.9, "car", "vehicle.parked", token)] for token in tokens}
    write_submission(root / "results.json", boxes)
    (root / "splits.json").write_text(json.dumps({"mini_val": ["scene-0103"]}))


def _write_lanes(root: Path) -> None:
    data = write_openlane(root / "ol")
    write_collections(data)
    build_lane_indexes(data, "A")
    predictions = {}
    for record in read_index(data / "openlane_v2_A_infos_train.pkl")["data_list"]:
        found = predictions[record["token"]] = annotation_of(record["lane_topology"])
        for instance in (*found["lane_centerline"], *found["traffic_element"]):
            instance["confidence"] = 0.5
    (root / "lanes.pkl").write_bytes(pickle.dumps(predictions, protocol=4))
    fields = {"method": "M", "team": "T", "e-mail": "a@example.org", "institution / company": "I"}
    lines = [f"{name}: {value}" for name, value in {**fields, "country / region": "CH", "authors": "[A, B]"}.items()]
    (root / "team.yaml").write_text("\n".join(lines))


def _write_waymo(root: Path) -> None:
    build_waymo_indexes(write_release(root / "waymo", frames=2))
    arrays = {"box": np.ones((3, 7)), "type": np.ones(3), "score": np.ones(3)}
    message = objects_from_arrays(arrays, ["a", "a", "b"], [1, 2, 1])
    for entry in message.objects:  # what makes ground truths count
        entry.object.num_lidar_points_in_box = entry.object.num_top_lidar_points_in_box = 9
        entry.object.most_visible_camera_name = "FRONT"
        entry.object.camera_synced_box.CopyFrom(entry.object.box)
    (root / "boxes.bin").write_bytes(message.SerializeToString())
    fields = ("account_name", "unique_method_name", "affiliation", "description", "method_link")
    (root / "method.yaml").write_text("".join(f"{name}: x\n" for name in fields) + "authors: [x]\n")
    (root / "segments.txt").write_text("a\nb\n")
    parts = ("breakdown_generator_ids: ONE_SHARD difficulties {} matcher_type: TYPE_HUNGARIAN box_type: TYPE_3D",)
    (root / "metric.txt").write_text(" ".join((*parts, "iou_thresholds: [0, .5, .3, .3, .3] score_cutoffs: [0, 1]")))


def _write_models(root: Path) -> None:
    """A config and weights of it; the official weights of an image model; curves and metrics of a training."""
    config = small_config(Path("nus"), Path(Path(INDEX).name), "t1", crop=None)
    for name in ("train", "val", "test"):
        loader = config[f"{name}_dataloader"]
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(ann_file=Path(INDEX).name)
        loader.dataset.pipeline[1].update(crop=None, size=(32, 64))
    for name in ("val", "test"):
        config[f"{name}_evaluator"].update(version="v1.0-mini", split="mini_val")
    config.train_cfg.update(max_epochs=1, val_interval=2)
    config.dump(root / "config.py")
    checkpoint_of(config, root)
    nano = {"channels": 16, "depths": (1, 1, 2, 1), "groups": (1, 2, 4, 8)}
    torch.save({"model": build_internimage("t", num_classes=2, **nano).state_dict()}, root / "official.pth")
    curves = root / "train" / "first" / "vis_data" / "scalars.json"
    curves.parent.mkdir(parents=True)
    curves.write_text("\n".join(json.dumps({"loss": 1.0, "step": step, "epoch": 1}) for step in range(3)))
    done = root / "compared" / "config" / "seed0"
    for path in (done / "train" / "final.pth", done / "test" / "test_metrics.json"):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({f"nuscenes/{metric}": 0.5 for metric in ("mAP", "NDS", "mATE")}))


def _write_pictures(root: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (4, 90, 160, 3), np.uint8)
    cv2.imwrite(str(root / "photo.jpg"), pictures[0])
    write_mp4(root / "film.mp4", pictures)
    frames = [{"timestamp": 0.5 * time, "images": {"front": "photo.jpg"}} for time in range(2)]
    content = {"cameras": {"front": CAMERA}, "frames": frames, "videos": {"front": "film.mp4"}}
    (root / "calibration.json").write_text(json.dumps(content))


def hostile(name: str) -> bytes:
    """A file that would run code if it were unpickled freely, in the format that the name's ending stands for."""
    packed, attack = io.BytesIO(), Attack(os.mkdir, MARKER)
    if name.endswith(".pth"):
        torch.save({"state_dict": attack, "meta": attack}, packed)
    elif name.endswith(".npz"):
        names = ("arr_0", "semantics", "mask_lidar", "mask_camera", "stamp", "offsets", "lengths")
        np.savez(packed, **{name: np.array([attack], dtype=object) for name in names})
    else:
        pickle.dump({"metainfo": {"dataset": "nuscenes"}, "data_list": [attack], "results": attack}, packed)
    return packed.getvalue()


PICTURE = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
DAMAGES: dict[str, Callable[[bytes, str], bytes | None]] = {
    "missing": lambda content, name: None,
    "empty": lambda content, name: b"",
    "half": lambda content, name: content[: len(content) // 2],
    "picture": lambda content, name: PICTURE,
    "list": lambda content, name: b"[1, 2]",
    "attack": lambda content, name: hostile(name),
}


def spoil(path: Path, damage: str) -> None:
    """Puts something else in a file's place; files that are linked to it stay as they are."""
    content = DAMAGES[damage](path.read_bytes(), path.name)
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def clone(world: Path, place: Path) -> Path:
    """The world again, its files linked."""
    return Path(shutil.copytree(world, place, copy_function=os.link))


def files_below(folder: Path) -> set[str]:
    """Names of all files, relative to the folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def check_refusal(finished: Finished, name: str) -> None:
    """Status 1, no traceback, and one error that names the file; what is listed below it is indented."""
    assert finished.status == 1, finished
    assert "Traceback" not in finished.err
    first, *listed = finished.error.splitlines()
    assert first.startswith("error: ")
    assert all(line.startswith("  ") for line in listed), finished.error
    assert Path(name).name.split(".")[0] in finished.error
