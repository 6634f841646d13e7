"""What the data sets of clips share: the frames around a sample with all projections into its bev frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from bev.datasets.frame_selection import FrameSelector, nearest_to_current
from bev.datasets.frame_table import FrameTable
from bev.errors import InputError
from bev.structures.boxes import boxes_of_gravity
from bev.structures.clip import Camera, Clip


class ClipDataset(BaseDataset):
    """Frames of an index as clips (see `bev.structures.clip` for the dictionary that the pipeline gets).

    A clip stays inside its scene: frames beyond its ends keep their place with `valid` False, and carry the time of the
    nearest existing frame towards the current one. Projections go through the global frame with the vehicle's pose at
    each camera's own time, in float64.

    A data set says in `load_data_list` how its index becomes a table of frames, which it hands to `_set_up`; what
    mmengine keeps, and may take subsets of, are numbers of rows: `{"row": row}` for each sample. `SampleClipDataset`
    does this for indexes of samples.

    Args:
        ann_file: Index written by `tools/create_data.py`, relative to `data_root`.
        data_root: Folder that the paths in the index start from.
        frame_offsets: Frames of a clip relative to the sample, increasing, with 0: (-7, ..., 0), (-1, 0, 1), ...
        drop_history: History frames that each clip leaves out, drawn at random, as BEVFormer v1 does with one
            in training so that the time between frames varies. In test mode all are kept.
        offset_unit: 'samples', or 'seconds' for the samples nearest in time.
        time_tolerance: With 'seconds', how far from the wanted time a frame may be.
        pipeline: Transforms, from `LoadMultiCameraImages` to `PackClip`.
        test_mode: Whether items are never replaced by other ones (mmengine).
        bev_frame: 'lidar' or 'ego', the frame that ground truth and BEV are in.
        on_error: 'raise' for an unreadable image, or 'skip-frame' (see `LoadMultiCameraImages`).
        cameras: Names and order of the camera axis; None for the data set's own.
        **kwargs: Further arguments of mmengine's `BaseDataset`, such as `indices` or `lazy_init`.

    Raises:
        InputError: If an argument makes no sense, or the index is empty or lacks a camera.
        CalibrationError: If a pose or intrinsic matrix of the index is unusable.
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str = "",
        frame_offsets: Sequence[float] = (0,),
        drop_history: int = 0,
        offset_unit: str = "samples",
        time_tolerance: float = 0.3,
        pipeline: Sequence[Mapping[str, Any] | Callable] = (),
        test_mode: bool = False,
        bev_frame: str = "lidar",
        on_error: str = "raise",
        cameras: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if bev_frame not in ("lidar", "ego"):
            raise InputError(f"bev_frame must be 'lidar' or 'ego', not {bev_frame!r}")
        if on_error not in ("raise", "skip-frame"):
            raise InputError(f"on_error must be 'raise' or 'skip-frame', not {on_error!r}")
        history = sum(offset < 0 for offset in frame_offsets)
        if not 0 <= drop_history <= history:
            raise InputError(f"drop_history is {drop_history}, but clips have {history} history frames")
        self.frame_offsets = tuple(frame_offsets)
        self.drop_history = 0 if test_mode else drop_history
        self.offset_unit = offset_unit
        self.time_tolerance = time_tolerance
        self.bev_frame = bev_frame
        self.on_error = on_error
        self.cameras = cameras
        # What mmengine would serialise are row numbers; the arrays behind them are shared as they are.
        kwargs.setdefault("serialize_data", False)
        super().__init__(ann_file=ann_file, data_root=data_root, pipeline=list(pipeline), test_mode=test_mode, **kwargs)

    @abstractmethod
    def _own_cameras(self, metainfo: Mapping[str, Any], present: set[str]) -> Sequence[str]:
        """Names of the camera axis where none are asked for, of those that the index has."""

    @abstractmethod
    def _labels(self, row: int) -> Mapping[str, Any]:
        """Entries of the clip that are ground truth of its current sample."""

    def _boxes(self, row: int) -> dict[str, Any]:
        """The boxes of a sample with their labels and what else is known about them."""
        table = self._table
        boxes = slice(table.first_box[row], table.first_box[row + 1])
        return {
            "gt_boxes": boxes_of_gravity(table.boxes[boxes].copy()),
            "gt_labels": table.labels[boxes].copy(),
            "gt_fields": {name: getattr(table, name)[boxes].copy() for name in ("attributes", "speeds", "num_points")},
        }

    def _set_up(self, table: FrameTable, metainfo: Mapping[str, Any]) -> None:
        """Take over the arrays of an index; the part of `load_data_list` that all data sets of clips share."""
        self._table = table
        self._slots = self._camera_slots(metainfo, table)
        self._selector = FrameSelector(
            table.scenes, table.timestamps, self.frame_offsets, self.offset_unit, self.time_tolerance
        )
        derived = {"bev_frame": self.bev_frame, "camera_names": self._slots}
        self._metainfo: dict[str, Any] = {**metainfo, **self.metainfo, **derived}

    def get_data_info(self, idx: int) -> Clip:
        """The clip around a sample, images not loaded."""
        entry = super().get_data_info(idx)
        table, row = self._table, entry["row"]
        lidar_path = table.lidar_paths[row].decode()
        return {
            "dataset": self.METAINFO["dataset"],
            "sample_idx": entry["sample_idx"],
            "sample_token": table.tokens[row].decode(),
            "scene_token": table.scenes[row].decode(),
            "timestamp": float(table.timestamps[row]),
            "global_T_bev": table.global_T_bev[row].copy(),
            "camera_names": list(self._slots),
            "current": self._selector.current - self.drop_history,
            "lidar_path": self._absolute(lidar_path) if lidar_path else None,
            "on_error": self.on_error,
            "bev_augmentation": np.eye(4),
            "frames": self._frames(row),
            **self._labels(row),
        }

    def scene_of(self, idx: int) -> str:
        """The scene that a sample belongs to."""
        return self._table.scenes[super().get_data_info(idx)["row"]].decode()

    def _frames(self, row: int) -> list[dict[str, Any]]:
        """The frames of the clip around a row of the table."""
        table = self._table
        rows, current = self._selector.rows(row), self._selector.current
        if self.drop_history:
            dropped = np.random.choice(current, self.drop_history, replace=False)
            rows = [frame for t, frame in enumerate(rows) if t not in dropped]
            current -= self.drop_history
        frames = []
        for found, stand_in in zip(rows, nearest_to_current(rows, current), strict=True):
            cameras = {} if found is None else self._cameras(found, table.global_T_bev[row])
            frames.append(
                {
                    "time": float(table.timestamps[stand_in] - table.timestamps[row]),
                    "valid": bool(cameras),
                    "token": None if found is None else table.tokens[found].decode(),
                    "cameras": cameras,
                    "global_T_bev": table.global_T_bev[stand_in].copy(),
                    "can_bus": table.can_bus[stand_in].copy(),
                }
            )
        return frames

    def _cameras(self, row: int, global_T_bev: np.ndarray) -> dict[str, Camera]:
        """The cameras of one frame, with projections from the current sample's bev frame."""
        table = self._table
        first, end = int(table.first_camera[row]), int(table.first_camera[row + 1])
        projections = table.pix_T_global[first:end] @ global_T_bev
        return {
            table.camera_names[k].decode(): {
                "path": self._absolute(table.image_paths[k].decode()),
                "token": table.image_tokens[k].decode(),
                "pix_T_bev": pix_T_bev,
                "file_pix_T_bev": pix_T_bev.copy(),
                "height": int(table.image_sizes[k, 0]),
                "width": int(table.image_sizes[k, 1]),
            }
            for k, pix_T_bev in zip(range(first, end), projections, strict=True)
        }

    def _absolute(self, path: str) -> str:
        return str(Path(self.data_root or "", path).absolute())

    def _camera_slots(self, metainfo: Mapping[str, Any], table: FrameTable) -> tuple[str, ...]:
        """Names of the camera axis: the same for all samples, so that a missing camera does not move the others."""
        present = {name.decode() for name in np.unique(table.camera_names)}
        if self.cameras is None:
            return tuple(self._own_cameras(metainfo, present))
        missing = [name for name in self.cameras if name not in present]
        if missing:
            raise InputError(f"{self.ann_file}: no image of camera {', '.join(missing)} in the index")
        return tuple(self.cameras)
