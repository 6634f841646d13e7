"""Clips of Waymo frames, read in place: images come straight from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.registry import DATASETS

from bev.datasets.clip_dataset import ClipDataset
from bev.datasets.index_io import of_entries
from bev.datasets.waymo.classes import CAMERAS, CLASSES, type_labels
from bev.datasets.waymo.index_build import read_segments
from bev.datasets.waymo.segment import Segment
from bev.datasets.waymo.table import LabelFilter, build_table
from bev.errors import InputError
from bev.geometry.lenses import Lens
from bev.structures.clip import Camera


class MissingCamerasError(InputError):
    """Labels that don't say which camera sees an object, where that is needed; the message says what to do."""


@DATASETS.register_module()
class WaymoClipDataset(ClipDataset):
    """Frames of an index as clips (see `bev.structures.clip` for the dictionary that the pipeline gets).

    The bev frame is the vehicle's at the frame's time. Projections take the vehicle to where it was when the image was
    taken, in float64: static points are exact, and so are camera-synced boxes, which are where the most visible camera
    sees the object. They are those of an ideal lens; cameras carry their `lens`, and `UndistortImages` makes the images
    fit. Image sizes differ between cameras. Clips stay inside their segment.

    Args:
        ann_file: Index written by `tools/create_data.py waymo`, relative to `data_root` if that is a folder.
        data_root: Folder or URL that the paths in the index start from.
        interval: Every how many frames of a segment one is a sample; the frames between are still history.
        camera_synced: Ground truth of the camera-only challenge: boxes where the most visible camera sees the object.
            Otherwise the LiDAR's boxes.
        only_visible: Leave out objects that no camera sees.
        min_lidar_points: Boxes with fewer points are no ground truth (of the top LiDAR for camera-synced boxes).
        classes: Names whose positions are the labels.
        class_mapping: What the model calls Waymo's classes, such as {"vehicle": "car", "cyclist": "bicycle"}.
        **kwargs: Further arguments of `ClipDataset`, but for `bev_frame`. Frames are 0.1 s apart, and `time_tolerance`
            is 0.06 s where it isn't given; pipelines have `UndistortImages` after `LoadMultiCameraImages`.

    Raises:
        MissingCamerasError: The labels lack the most visible camera.
        InputError: As for `ClipDataset`; or the index has no frames.
    """

    METAINFO: ClassVar[dict[str, Any]] = {"dataset": "waymo"}

    def __init__(
        self,
        ann_file: str,
        data_root: str = "",
        *,
        interval: int = 1,
        camera_synced: bool = True,
        only_visible: bool = True,
        min_lidar_points: int = 1,
        classes: Sequence[str] = CLASSES,
        class_mapping: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        if interval < 1:
            raise InputError(f"interval must be at least 1, not {interval}")
        self.interval = interval
        self.classes = tuple(classes)
        wanted = type_labels(classes, class_mapping)
        self._label_filter = LabelFilter(wanted, camera_synced, only_visible, min_lidar_points)
        super().__init__(ann_file, data_root, bev_frame="ego", **{"time_tolerance": 0.06, **kwargs})

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the index into arrays; what mmengine keeps and may take subsets of are row numbers only."""
        segments = read_segments(self.ann_file)
        if not segments:
            raise InputError(f"{self.ann_file}: the index has no frames")
        self._check_labels(segments)
        self._waymo = of_entries(
            self.ann_file, segments, lambda some: build_table(some, self._label_filter, self.cameras)
        )
        self._set_up(self._waymo.frames, {"classes": self.classes})
        lengths = [len(segment) for segment in segments]
        starts = np.cumsum([0, *lengths])
        rows = [start + np.arange(0, n, self.interval) for start, n in zip(starts, lengths, strict=False)]
        return [{"row": int(row)} for row in np.concatenate(rows)]

    def _cameras(self, row: int, global_T_bev: np.ndarray) -> dict[str, Camera]:
        cameras = super()._cameras(row, global_T_bev)
        first, waymo = int(self._table.first_camera[row]), self._waymo
        for k, camera in enumerate(cameras.values(), start=first):
            f_u, f_v, c_u, c_v, *distortion = waymo.intrinsics[k].tolist()
            camera["part"] = waymo.part(k)
            camera["lens"] = Lens((f_u, f_v), (c_u, c_v), tuple(distortion))
        return cameras

    def _join_prefix(self) -> None:
        # mmengine knows few object stores. Where the images are in one, the index is a local file.
        if "://" not in (self.data_root or ""):
            super()._join_prefix()

    def _absolute(self, path: str) -> str:
        root = self.data_root or ""
        return f"{root.rstrip('/')}/{path}" if "://" in root else str(Path(root, path).absolute())

    def _own_cameras(self, metainfo: Mapping[str, Any], present: set[str]) -> Sequence[str]:
        return [name for name in CAMERAS if name in present]

    def _labels(self, row: int) -> Mapping[str, Any]:
        return self._boxes(row)

    def _check_labels(self, segments: Sequence[Segment]) -> None:
        """Releases before 1.3.1 don't say which camera sees an object."""
        needed = self._label_filter.camera_synced or self._label_filter.only_visible
        labelled = any(len(segment.types) for segment in segments)
        if needed and labelled and not any(segment.most_visible.any() for segment in segments):
            raise MissingCamerasError(
                f"{self.ann_file}: no object has a most visible camera; use release 1.3.2 or later, or set "
                "camera_synced=False and only_visible=False"
            )
