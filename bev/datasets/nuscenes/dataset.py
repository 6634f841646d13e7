"""Clips of nuScenes samples, with boxes and, where asked for, occupancy labels and lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmengine.registry import DATASETS

from bev.datasets.frame_table import BoxFilter, Record
from bev.datasets.index_io import well_formed
from bev.datasets.nuscenes.classes import ATTRIBUTE_STATES, CLASSES, camera_order, label_mapping
from bev.datasets.occ3d.labels import find_labels
from bev.datasets.openlane_v2.lane_table import LaneTable
from bev.datasets.openlane_v2.pairing import lanes_of_samples
from bev.datasets.sample_clip_dataset import SampleClipDataset
from bev.errors import InputError


@DATASETS.register_module()
class NuScenesClipDataset(SampleClipDataset):
    """Every sample of a nuScenes index as a clip.

    The velocity of boxes that have none (a track of one annotation) is 0.

    Args:
        ann_file: Index written by `tools/create_data.py`, relative to `data_root`.
        data_root: Folder that the paths in the index start from.
        min_points: Boxes with fewer LiDAR and radar points are no ground truth. The published models train on all that
            have one, and the official evaluation counts just these.
        min_visibility: Lowest nuScenes visibility level (1 to 4) of ground truth; None for no limit.
        classes: Names whose positions are the labels.
        class_mapping: What the model calls nuScenes' classes, such as {"truck": "vehicle", "bicycle": "cyclist"};
            others keep their names.
        occupancy: Whether samples have Occ3D's labels, under `gts` in `data_root`, and clips their `occupancy_path`.
        lanes: Index of OpenLane-V2's annotations (subset B) of these samples, relative to `data_root`; None for none.
        **kwargs: Further arguments of `ClipDataset`. The camera axis has nuScenes' six first.

    Raises:
        InputError: As for `SampleClipDataset`; or the index lacks a class, or a sample has no lanes.
        CalibrationError: If a pose or intrinsic matrix of the index is unusable.
    """

    METAINFO: ClassVar[dict[str, Any]] = {"dataset": "nuscenes"}

    def __init__(
        self,
        ann_file: str,
        data_root: str = "",
        *,
        min_points: int = 1,
        min_visibility: int | None = None,
        classes: Sequence[str] = CLASSES,
        class_mapping: Mapping[str, str] | None = None,
        occupancy: bool = False,
        lanes: str | None = None,
        **kwargs: Any,
    ) -> None:
        for name, wanted in (("occupancy labels", occupancy), ("lanes", lanes)):
            if wanted and kwargs.get("bev_frame") != "ego":
                raise InputError(f"{name} are in the ego frame: set bev_frame='ego'")
        self.min_points = min_points
        self.min_visibility = min_visibility
        self.classes, self.class_mapping = tuple(classes), class_mapping
        self.occupancy = occupancy
        self.lanes = lanes
        self._lane_table: LaneTable | None = None
        self._label_files: dict[str, Path] = {}
        super().__init__(ann_file, data_root, **kwargs)

    def _box_filter(self, metainfo: Mapping[str, Any]) -> BoxFilter:
        called = self.class_mapping or {}
        unknown = set(called) - set(metainfo["categories"])
        unknown |= set(self.classes) - {called.get(name, name) for name in metainfo["categories"]}
        if unknown:
            raise InputError(f"{self.ann_file}: the index has no class {', '.join(sorted(unknown))}")
        mapping = label_mapping(metainfo, self.classes, self.class_mapping)
        return BoxFilter(mapping, self.min_points, self.min_visibility, ATTRIBUTE_STATES)

    def _own_cameras(self, metainfo: Mapping[str, Any], present: set[str]) -> Sequence[str]:
        return camera_order(present)

    def _read_labels(self, metainfo: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        if self.occupancy:
            self._label_files = find_labels(self.data_root or "", [record["token"] for record in records])
        if self.lanes:
            path = Path(self.data_root or "", self.lanes)
            with well_formed(str(path)):
                self._lane_table = lanes_of_samples(path, records)
        return {"classes": self.classes}

    def _labels(self, row: int) -> Mapping[str, Any]:
        return {
            **self._boxes(row),
            "occupancy_path": self._label_files.get(self._table.tokens[row].decode()),
            "gt_lanes": None if self._lane_table is None else self._lane_table.labels(row),
        }
