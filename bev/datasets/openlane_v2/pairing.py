"""Lanes for nuScenes samples: OpenLane-V2's subset B annotates them, under the time of the front image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bev.datasets.index_io import IndexFormatError, read_index
from bev.datasets.openlane_v2.classes import FRONT_CAMERAS
from bev.datasets.openlane_v2.lane_table import LaneTable
from bev.errors import InputError
from bev.geometry import invert_pose, transform_points

_SHOWN = 3
_MICROSECONDS = 1e6


class LanePairingError(InputError):
    """Samples that have no lane annotation; the message names the first few."""


def lanes_of_samples(path: Path, records: Sequence[Mapping[str, Any]]) -> LaneTable:
    """Lanes in the vehicle's frame of each sample (`bev_frame='ego'`).

    Args:
        path: Index of OpenLane-V2's subset B.
        records: Records of a nuScenes index.

    Raises:
        LanePairingError: The index lacks samples.
        IndexFormatError: It is something else.
    """
    index = read_index(path)
    if index["metainfo"].get("dataset") != "openlane_v2" or index["metainfo"].get("version") != "B":
        raise IndexFormatError(
            f"{path}: not an index of OpenLane-V2's subset B; make it with tools/create_data.py openlane_v2 --subset B"
        )
    front = FRONT_CAMERAS["B"]
    by_time = {_microseconds(record["timestamp"]): record for record in index["data_list"]}
    found = [_frame_of(record, front, by_time) for record in records]
    missing = [record["token"] for record, frame in zip(records, found, strict=True) if frame is None]
    if missing:
        raise LanePairingError(
            f"{path}: no lanes for {len(missing)} of {len(records)} samples, such as {', '.join(missing[:_SHOWN])}; "
            "frames are found by the time of their front image: are both indexes of the same split?"
        )
    pairs = [(frame, record) for frame, record in zip(found, records, strict=True) if frame is not None]
    return LaneTable.of([_moved(frame, record["ego2global"]) for frame, record in pairs], front)


def _frame_of(record: Mapping[str, Any], front: str, by_time: Mapping[int, dict]) -> dict | None:
    image = record["images"].get(front)
    return None if image is None else by_time.get(_microseconds(image["timestamp"]))


def _microseconds(seconds: float) -> int:
    return round(seconds * _MICROSECONDS)


def _moved(frame: Mapping[str, Any], global_T_ego: np.ndarray) -> Mapping[str, Any]:
    """A frame whose lanes are in the vehicle's frame of the sample instead of that at the time of the image."""
    topology = frame["lane_topology"]
    if topology is None:
        return frame
    sample_T_frame = invert_pose(np.asarray(global_T_ego)) @ frame["ego2global"]
    lanes = transform_points(topology["lanes"].astype(np.float64), sample_T_frame)
    return {**frame, "lane_topology": {**topology, "lanes": lanes.astype(np.float32)}}
