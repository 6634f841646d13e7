"""The annotated objects of one sample, read from the tables into arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bev.datasets.index_io import of_entries
from bev.datasets.nuscenes.classes import CATEGORY_TO_CLASS, INDEX_CLASSES
from bev.datasets.nuscenes.index_tables import ADVICE, TablesError
from bev.geometry import pose_matrix
from bev.geometry.poses import numbers

if TYPE_CHECKING:
    from nuscenes import NuScenes


@dataclass(frozen=True)
class SampleAnnotations:
    """M objects of one sample in the global frame.

    Attributes:
        global_T_box: (M, 4, 4) poses; a box's x axis points along its heading, its origin is its centre.
        sizes: (M, 3) length, width, height, metres.
        velocities: (M, 3) metres per second, z 0 as in every published info file; NaN where the devkit cannot tell.
        labels: (M,) int64 positions in `INDEX_CLASSES`, -1 for categories that are not detected.
        lidar_points: (M,) int64.
        radar_points: (M,) int64.
        visibilities: M levels 1 (0-40 %) to 4 (80-100 %), or None.
        attributes: M names, "" where there is none.
        tokens: M annotation tokens.
        instance_tokens: M tokens of the tracked objects.
    """

    global_T_box: np.ndarray
    sizes: np.ndarray
    velocities: np.ndarray
    labels: np.ndarray
    lidar_points: np.ndarray
    radar_points: np.ndarray
    visibilities: list[int | None]
    attributes: list[str]
    tokens: list[str]
    instance_tokens: list[str]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def valid(self) -> np.ndarray:
        """(M,) bool: seen by at least one LiDAR or radar point, as the official evaluation asks."""
        return self.lidar_points + self.radar_points > 0


def read_annotations(nusc: NuScenes, sample: dict) -> SampleAnnotations:
    """Reads a sample's annotations in the order of its `anns`.

    Raises:
        CalibrationError, TablesError: a box with NaN, or with sizes that are not positive, or a row that holds values
            of other types; the message has its token.
    """
    records = [nusc.get("sample_annotation", token) for token in sample["anns"]]
    return of_entries(
        "sample_annotation.json", records, lambda some: _annotations(nusc, some), TablesError, ADVICE
    )


def _annotations(nusc: NuScenes, records: Sequence[dict]) -> SampleAnnotations:
    velocities = [nusc.box_velocity(record["token"]) for record in records]
    return SampleAnnotations(
        global_T_box=np.array([_box_pose(record) for record in records]).reshape(-1, 4, 4),
        sizes=np.array([_length_width_height(record) for record in records]).reshape(-1, 3),
        velocities=np.array(velocities, dtype=np.float64).reshape(-1, 3) * [1.0, 1.0, 0.0],
        labels=np.array([_label(record["category_name"]) for record in records], dtype=np.int64),
        lidar_points=np.array([record["num_lidar_pts"] for record in records], dtype=np.int64),
        radar_points=np.array([record["num_radar_pts"] for record in records], dtype=np.int64),
        visibilities=[_visibility(record) for record in records],
        attributes=[_attribute(nusc, record) for record in records],
        tokens=[record["token"] for record in records],
        instance_tokens=[record["instance_token"] for record in records],
    )


def _where(record: dict) -> str:
    return f"sample_annotation.json, token {record['token']} ({record['category_name']})"


def _box_pose(record: dict) -> np.ndarray:
    return pose_matrix(record["rotation"], record["translation"], _where(record))


def _length_width_height(record: dict) -> list[float]:
    sizes = numbers(record["size"], _where(record))
    if sizes.shape != (3,) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise TablesError(f"{_where(record)}: size {record['size']} is not positive; correct or remove this record")
    width, length, height = sizes.tolist()
    return [length, width, height]


def _label(category: str) -> int:
    name = CATEGORY_TO_CLASS.get(category)
    return -1 if name is None else INDEX_CLASSES.index(name)


def _visibility(record: dict) -> int | None:
    token = record.get("visibility_token", "")
    return int(token) if token.isdigit() else None


def _attribute(nusc: NuScenes, record: dict) -> str:
    tokens = record["attribute_tokens"]
    return nusc.get("attribute", tokens[0])["name"] if tokens else ""
