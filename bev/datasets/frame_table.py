"""An index as flat arrays: quick to look up and shared by forked loader processes without a copy.

Shapes: F frames (samples of the index), K camera images of all frames, M boxes of all frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from bev.datasets.flat_arrays import byte_strings, firsts
from bev.errors import InputError
from bev.geometry import check_intrinsic, check_pose, transform_boxes
from bev.geometry.can_bus import can_bus_state
from bev.structures.attributes import NO_ATTRIBUTE

Record = dict[str, Any]


@dataclass(frozen=True)
class BoxFilter:
    """Which annotated boxes become ground truth.

    Attributes:
        label_mapping: Label in the index to label of the model, -1 for classes that are not wanted; the last entry
            serves index label -1.
        min_points: Fewest LiDAR and radar points in a box.
        min_visibility: Lowest visibility level (nuScenes: 1 is up to 40 %, 2 to 60 %, 3 to 80 %, 4 above). Boxes
            without one are kept; None keeps all.
        attribute_states: Name of an attribute to its index among those of its class.
    """

    label_mapping: np.ndarray
    min_points: int = 1
    min_visibility: int | None = None
    attribute_states: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FrameTable:
    """All frames of an index. Rows of frame f in the camera and box arrays are first[f]:first[f + 1].

    Attributes:
        tokens, scenes: (F,) bytes.
        timestamps: (F,) float64, seconds.
        lidar_paths: (F,) bytes, relative to the data root, empty where there is no file.
        global_T_bev: (F, 4, 4) float64.
        can_bus: (F, 18) float64, see `bev.geometry.can_bus`; measurements that the index lacks are 0.
        first_camera: (F + 1,) int64.
        camera_names: (K,) bytes.
        image_paths, image_tokens: (K,) bytes.
        image_sizes: (K, 2) int64, height and width in pixels.
        pix_T_global: (K, 4, 4) float64, at the camera's own time.
        first_box: (F + 1,) int64.
        boxes: (M, 9) float32 in the frame's bev frame: gravity centre, l, w, h, yaw, vx, vy; unknown velocities are 0.
        labels: (M,) int64.
        attributes: (M,) int64, index of the attribute among those of its class, 3 for none.
        speeds: (M,) float32, metres per second, NaN where unknown.
        num_points: (M,) int64, LiDAR and radar points in the box.
    """

    tokens: np.ndarray
    scenes: np.ndarray
    timestamps: np.ndarray
    lidar_paths: np.ndarray
    global_T_bev: np.ndarray
    can_bus: np.ndarray
    first_camera: np.ndarray
    camera_names: np.ndarray
    image_paths: np.ndarray
    image_tokens: np.ndarray
    image_sizes: np.ndarray
    pix_T_global: np.ndarray
    first_box: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    attributes: np.ndarray
    speeds: np.ndarray
    num_points: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens)


def build_frame_table(
    records: Sequence[Record], box_filter: BoxFilter, bev_frame: str = "lidar", cameras: Sequence[str] | None = None
) -> FrameTable:
    """Turn the `data_list` of an index into a table, frames in the order given.

    Args:
        records: Entries of mmdet3d's v2 layout as `read_index` returns them.
        box_filter: Selection of the boxes.
        bev_frame: 'lidar', or 'ego' for the vehicle's frame at the time of the LiDAR sweep.
        cameras: Names to keep; None keeps all.

    Raises:
        CalibrationError: If a pose or an intrinsic matrix is unusable; names sample and camera.
        InputError: If a time or a box is; names the sample.
    """
    global_T_ego = _matrices([record["ego2global"] for record in records], 4)
    ego_T_lidar = _matrices([record["lidar_points"]["lidar2ego"] for record in records], 4)
    owners = [f"sample {record['token']}" for record in records]
    _check_poses(global_T_ego, owners, "ego2global")
    _check_poses(ego_T_lidar, owners, "lidar2ego")
    timestamps = np.array([record["timestamp"] for record in records], dtype=np.float64)
    for row in np.flatnonzero(~np.isfinite(timestamps)):
        raise InputError(f"{owners[row]}: timestamp {records[row]['timestamp']} is no time; build the index again")
    return FrameTable(
        tokens=byte_strings([record["token"] for record in records]),
        scenes=byte_strings([record["scene_token"] or "" for record in records]),
        timestamps=timestamps,
        lidar_paths=byte_strings([record["lidar_points"].get("lidar_path") or "" for record in records]),
        global_T_bev=global_T_ego if bev_frame == "ego" else global_T_ego @ ego_T_lidar,
        can_bus=np.stack(
            [can_bus_state(pose, record.get("can_bus")) for pose, record in zip(global_T_ego, records, strict=True)]
        ),
        **_camera_columns(records, cameras),
        **_box_columns(records, box_filter, ego_T_lidar if bev_frame == "ego" else None),
    )


def _camera_columns(records: Sequence[Record], names: Sequence[str] | None) -> dict[str, np.ndarray]:
    """The columns of a table that have one row per camera image."""
    kept = [
        [(name, camera) for name, camera in record["images"].items() if names is None or name in names]
        for record in records
    ]
    rows = list(chain.from_iterable(kept))
    tokens = [record["token"] for record, cameras in zip(records, kept, strict=True) for _ in cameras]
    owners = [f"sample {token}, {name}" for token, (name, _) in zip(tokens, rows, strict=True)]
    intrinsics = _matrices([camera["cam2img"] for _, camera in rows], 3)
    ego_T_cam = _matrices([camera["cam2ego"] for _, camera in rows], 4)
    global_T_ego = _matrices([camera["ego2global"] for _, camera in rows], 4)
    _check_intrinsics(intrinsics, owners)
    _check_poses(ego_T_cam, owners, "cam2ego")
    _check_poses(global_T_ego, owners, "ego2global")
    pix_T_cam = np.tile(np.eye(4), (len(rows), 1, 1))
    pix_T_cam[:, :3, :3] = intrinsics
    return {
        "first_camera": firsts([len(cameras) for cameras in kept]),
        "camera_names": byte_strings([name for name, _ in rows]),
        "image_paths": byte_strings([camera["img_path"] for _, camera in rows]),
        "image_tokens": byte_strings([camera.get("sample_data_token") or "" for _, camera in rows]),
        "image_sizes": np.array([(c["height"], c["width"]) for _, c in rows], dtype=np.int64).reshape(-1, 2),
        "pix_T_global": pix_T_cam @ np.linalg.inv(global_T_ego @ ego_T_cam),
    }


def _box_columns(
    records: Sequence[Record], box_filter: BoxFilter, bev_T_lidar: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The columns of a table that have one row per box; `bev_T_lidar` is (F, 4, 4), None for the identity."""
    kept: list[tuple[float, ...]] = []
    labels: list[tuple[int, int, int]] = []
    numbers: list[int] = []
    counts: list[int] = []
    for record in records:
        before = len(kept)
        for number, instance in enumerate(record.get("instances") or ()):
            label = box_filter.label_mapping[instance["bbox_label_3d"]]
            points = instance["num_lidar_pts"] + max(instance.get("num_radar_pts") or 0, 0)
            if label >= 0 and _is_seen(points, instance.get("visibility"), box_filter):
                kept.append((*instance["bbox_3d"][:7], *instance.get("velocity", (np.nan, np.nan))))
                state = box_filter.attribute_states.get(instance.get("attribute", ""), NO_ATTRIBUTE)
                labels.append((label, state, points))
                numbers.append(number)
        counts.append(len(kept) - before)
    first = firsts(counts)
    boxes = np.array(kept, dtype=np.float64).reshape(-1, 9)
    speeds = np.hypot(boxes[:, 7], boxes[:, 8])
    # A track of a single annotation has no velocity. Zero, as in mmdet3d: a NaN would spread through the loss.
    boxes[:, 7:] = np.nan_to_num(boxes[:, 7:])
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is told below
        if bev_T_lidar is not None:
            for begin, end, matrix in zip(first[:-1], first[1:], bev_T_lidar, strict=True):
                boxes[begin:end] = transform_boxes(boxes[begin:end], matrix)
        boxes = boxes.astype(np.float32)
    frames = np.repeat(np.arange(len(records)), counts)
    _check_boxes(boxes, lambda row: f"sample {records[frames[row]]['token']}, instance {numbers[row]}")
    integers = np.array(labels, dtype=np.int64).reshape(-1, 3).T.copy()
    return {
        "first_box": first,
        "boxes": boxes,
        **dict(zip(("labels", "attributes", "num_points"), integers, strict=True)),
        "speeds": speeds.astype(np.float32),
    }


def _check_boxes(boxes: np.ndarray, owner_of: Callable[[int], str]) -> None:
    """Refuse boxes that would stop a training at whichever step draws them."""
    sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 3:6] > 0).all(axis=1)
    for row in np.flatnonzero(~sound):
        raise InputError(
            f"{owner_of(int(row))}: {boxes[row].tolist()} is no box: numbers must be finite and sizes positive; "
            "correct or remove it, or build the index again"
        )


def _is_seen(points: int, visibility: int | None, box_filter: BoxFilter) -> bool:
    """Whether a box has points and visibility enough."""
    if points < box_filter.min_points:
        return False
    return box_filter.min_visibility is None or visibility is None or visibility >= box_filter.min_visibility


def _check_poses(poses: np.ndarray, owners: Sequence[str], what: str) -> None:
    """Check rigid transforms all at once, and the suspicious ones again by name."""
    rotations = poses[:, :3, :3]
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        sound = np.isfinite(poses).all(axis=(1, 2)) & (deviation < 1e-5)
    for row in np.flatnonzero(~sound):
        check_pose(poses[row], f"{owners[row]}, {what}")


def _check_intrinsics(intrinsics: np.ndarray, owners: Sequence[str]) -> None:
    """Check intrinsic matrices all at once, and the suspicious ones again by name."""
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(intrinsics).all(axis=(1, 2)) & (intrinsics[:, 0, 0] > 0) & (intrinsics[:, 1, 1] > 0)
        sound &= (intrinsics[:, 2] == [0, 0, 1]).all(axis=1)
    for row in np.flatnonzero(~sound):
        check_intrinsic(intrinsics[row], f"{owners[row]}, cam2img")


def _matrices(values: Sequence[Any], side: int) -> np.ndarray:
    """(n, side, side) float64 from arrays or nested lists."""
    return np.array(values, dtype=np.float64).reshape(-1, side, side)
