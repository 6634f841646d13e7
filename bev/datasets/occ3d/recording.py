"""A recorded scene as the label generator needs it, read from tables in the format of nuScenes.

The world frame here is nuScenes' global frame moved to where ego was first, so that float32 is precise.

Shapes: N points, T times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from bev.datasets.nuscenes.index_samples import LIDAR, ego_pose, sensor_pose
from bev.datasets.nuscenes.index_tables import TablesError, chain
from bev.datasets.nuscenes.lidar_files import read_points
from bev.datasets.occ3d.classes import UNKNOWN, label_of_category
from bev.datasets.occ3d.labels import OccupancyLabelError
from bev.datasets.occ3d.visibility import PinholeView
from bev.geometry import transform_points

if TYPE_CHECKING:
    from nuscenes import NuScenes

STANDING_MOTION = 0.3
"""An object whose centres differ by less along every axis stands, metres."""

_MICROSECONDS = 1e6


@dataclass(frozen=True)
class Sweep:
    """One turn of the LiDAR.

    Attributes:
        time: Seconds.
        points: (N, 3) float32 in the ego frame, metres.
        labels: (N,) uint8, Occ3D's; `UNKNOWN` for points that belong to nothing; None where nobody labelled them.
        world_T_ego: (4, 4).
        origin: (3,) the sensor in the world, metres.
    """

    time: float
    points: np.ndarray
    labels: np.ndarray | None
    world_T_ego: np.ndarray
    origin: np.ndarray


@dataclass(frozen=True)
class Track:
    """An annotated object.

    Attributes:
        label: Occ3D's.
        size: (3,) length, width, height, metres.
        times: (T,) seconds of its annotations, ascending.
        centres: (T, 3) in the world, metres.
        rotations: world_R_box of the annotations.
    """

    label: int
    size: np.ndarray
    times: np.ndarray
    centres: np.ndarray
    rotations: Rotation

    @property
    def stands(self) -> bool:
        """Whether it never moves while it is annotated; it is then taken to be there all the time."""
        return float(np.ptp(self.centres, axis=0).max()) < STANDING_MOTION

    def poses(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Interpolated world_T_box (T, 4, 4) at times (T,), and (T,) bool: whether it is known where it is then.

        That is so from the first annotation to the last one, and for objects that stand at all times. Other poses are
        those of the first or the last annotation.
        """
        inside = (times >= self.times[0]) & (times <= self.times[-1]) | self.stands
        clipped = np.clip(times, self.times[0], self.times[-1])
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        turns = Slerp(self.times, self.rotations)(clipped) if len(self.times) > 1 else self.rotations[[0] * len(times)]
        poses[:, :3, :3] = turns.as_matrix()
        for axis in range(3):
            poses[:, axis, 3] = np.interp(clipped, self.times, self.centres[:, axis])
        return poses, inside


@dataclass(frozen=True)
class KeyFrame:
    """A sample.

    Attributes:
        token: Of the sample.
        time: Seconds.
        world_T_ego: (4, 4).
        views: The cameras, each where it was when it took its picture, in this ego frame.
    """

    token: str
    time: float
    world_T_ego: np.ndarray
    views: tuple[PinholeView, ...]


class Recording:
    """One scene.

    Args:
        nusc: Tables, opened by the devkit.
        scene: Row of the table scene.

    Attributes:
        name: Of the scene.
        key_frames: In the order of time.
        tracks: All annotated objects.

    Raises:
        TablesError: A sample has no LiDAR, or rows follow each other without an end.
        CalibrationError: A pose or calibration that cannot be right.
    """

    def __init__(self, nusc: NuScenes, scene: dict) -> None:
        self.name: str = scene["name"]
        self._nusc, self._scene = nusc, scene
        samples = list(chain(nusc, "sample", scene["first_sample_token"]))
        for sample in samples:
            if LIDAR not in sample["data"]:
                raise TablesError(f"sample_data.json: sample {sample['token']} has no {LIDAR} row to build labels from")
        first = nusc.get("sample_data", samples[0]["data"][LIDAR])
        self.offset = ego_pose(nusc, first)[:3, 3].copy()
        self._first_record = first["token"]
        self.key_frames = tuple(self._key_frame(sample) for sample in samples)
        self.tracks = tuple(self._tracks(samples))
        self._categories = self._category_labels()

    def is_on_map(self, points: np.ndarray) -> np.ndarray:
        """Whether world points (N, 3) lie on the mask of roads and sidewalks: (N,) bool."""
        log = self._nusc.get("log", self._scene["log_token"])
        mask = self._nusc.get("map", log["map_token"])["mask"]
        places = points[:, :2] + self.offset[:2]
        return mask.is_on_mask(places[:, 0], places[:, 1])

    def sweeps(self) -> Iterator[Sweep]:
        """All turns of the LiDAR from the first key frame to the end of the recording, in the order of time.

        Raises:
            OSError: A file is missing; the message names it.
            LidarFileError: A file does not hold points.
            OccupancyLabelError: A file does not hold as many labels as there are points.
        """
        for record in chain(self._nusc, "sample_data", self._first_record):
            raw = read_points(Path(self._nusc.dataroot) / record["filename"])
            world_T_ego = self._world_T_ego(record)
            ego_T_lidar = sensor_pose(self._nusc, record)
            points = transform_points(raw[:, :3], ego_T_lidar)
            yield Sweep(
                record["timestamp"] / _MICROSECONDS,
                points.astype(np.float32),
                self._labels(record, len(points)),
                world_T_ego,
                (world_T_ego @ ego_T_lidar)[:3, 3],
            )

    def _world_T_ego(self, record: dict) -> np.ndarray:
        pose = ego_pose(self._nusc, record)
        pose[:3, 3] -= self.offset
        return pose

    def _key_frame(self, sample: dict) -> KeyFrame:
        lidar = self._nusc.get("sample_data", sample["data"][LIDAR])
        world_T_ego = self._world_T_ego(lidar)
        views = []
        for token in sample["data"].values():
            record = self._nusc.get("sample_data", token)
            if record["sensor_modality"] != "camera":
                continue
            ego_T_camera = np.linalg.inv(world_T_ego) @ self._world_T_ego(record) @ sensor_pose(self._nusc, record)
            sensor = self._nusc.get("calibrated_sensor", record["calibrated_sensor_token"])
            intrinsic = np.array(sensor["camera_intrinsic"], dtype=np.float64)
            views.append(PinholeView(ego_T_camera, intrinsic, record["width"], record["height"]))
        return KeyFrame(sample["token"], lidar["timestamp"] / _MICROSECONDS, world_T_ego, tuple(views))

    def _tracks(self, samples: list[dict]) -> Iterator[Track]:
        rows: dict[str, list[tuple[float, dict]]] = {}
        for sample, frame in zip(samples, self.key_frames, strict=True):
            for token in sample["anns"]:
                row = self._nusc.get("sample_annotation", token)
                rows.setdefault(row["instance_token"], []).append((frame.time, row))
        for seen in rows.values():
            _, last = seen[-1]
            width, length, height = last["size"]
            quaternions = np.array([row["rotation"] for _, row in seen])
            yield Track(
                label_of_category(last["category_name"]),
                np.array([length, width, height]),
                np.array([time for time, _ in seen]),
                np.array([row["translation"] for _, row in seen]) - self.offset,
                Rotation.from_quat(np.roll(quaternions, -1, axis=1)),
            )

    def _category_labels(self) -> np.ndarray | None:
        """Occ3D's label of every category index; None without nuScenes-lidarseg."""
        if not hasattr(self._nusc, "lidarseg"):
            return None
        table = np.full(256, UNKNOWN, dtype=np.uint8)
        for category in self._nusc.category:
            table[category["index"]] = label_of_category(category["name"])
        return table

    def _labels(self, record: dict, count: int) -> np.ndarray | None:
        if self._categories is None or not record["is_key_frame"]:
            return None
        path = Path(self._nusc.dataroot) / self._nusc.get("lidarseg", record["token"])["filename"]
        categories = np.fromfile(path, dtype=np.uint8)
        if len(categories) != count:
            raise OccupancyLabelError(f"{path}: {len(categories)} labels for {count} points; download it again")
        return self._categories[categories]
