"""Clips of OpenLane-V2: the frames around a sample, with its lanes, traffic elements and their topology."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mmengine.registry import DATASETS

from bev.datasets.frame_table import BoxFilter, Record
from bev.datasets.index_io import of_entries
from bev.datasets.openlane_v2.classes import FRONT_CAMERAS
from bev.datasets.openlane_v2.lane_table import LaneTable
from bev.datasets.sample_clip_dataset import SampleClipDataset
from bev.errors import InputError


@DATASETS.register_module()
class OpenLaneClipDataset(SampleClipDataset):
    """Every frame of an OpenLane-V2 index as a clip in the vehicle's frame; `gt_lanes` are its `LaneLabels`.

    The front camera is the first of the camera axis, the others follow in the order of the annotation files; images of
    one sample may differ in size. `can_bus` is what the official baseline makes of the pose: position, orientation and
    yaw, zeros for what is measured.

    Args:
        ann_file: Index written by `tools/create_data.py openlane_v2`, relative to `data_root`.
        data_root: Folder that the paths in the index start from.
        **kwargs: Further arguments of `ClipDataset`, but for `bev_frame`.

    Raises:
        InputError: As for `SampleClipDataset`; or `cameras` begins with another camera than the front one.
        IndexFormatError: If the index is of another data set.
        CalibrationError: If a pose or intrinsic matrix of the index is unusable.
    """

    METAINFO: ClassVar[dict[str, Any]] = {"dataset": "openlane_v2"}

    def __init__(self, ann_file: str, data_root: str = "", **kwargs: Any) -> None:
        super().__init__(ann_file, data_root, bev_frame="ego", **kwargs)

    def _box_filter(self, metainfo: Mapping[str, Any]) -> BoxFilter:
        return BoxFilter(np.zeros(0, dtype=np.int64))

    def _own_cameras(self, metainfo: Mapping[str, Any], present: set[str]) -> Sequence[str]:
        return metainfo["camera_names"]

    def _read_labels(self, metainfo: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        front = FRONT_CAMERAS[metainfo["version"]]
        if self._slots[0] != front:
            raise InputError(f"{self.ann_file}: traffic elements are in {front}, so cameras must begin with it")
        self._lane_table = of_entries(self.ann_file, records, lambda some: LaneTable.of(some, front))
        return {}

    def _labels(self, row: int) -> Mapping[str, Any]:
        return {"gt_lanes": self._lane_table.labels(row)}
