"""Pictures of Waymo frames from an index and, if given, a file of predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bev.datasets.waymo.classes import TYPES
from bev.datasets.waymo.dataset import MissingCamerasError, WaymoClipDataset
from bev.datasets.waymo.objects import FrameCodes, prediction_arrays, read_objects, rows_by_frame
from bev.datasets.waymo.segment import split_token
from bev.visualization.boxes import BoxSet, true_boxes
from bev.visualization.frame import draw_frame
from bev.visualization.painter import SamplePainter

_NAMES = {number: name for name, number in TYPES.items()}
_AHEAD = (1.0, 0.0)


class WaymoPainter(SamplePainter):
    """Draws five cameras, their lens distortion removed, and a bird's-eye view.

    Ground truth is that of the camera-only challenge: objects that a camera sees, where it sees them.

    Args:
        index: Index file of `tools/create_data.py waymo`.
        root: Data root that its paths start from, local or a URL.
        results: `Objects` file of predictions, as `WaymoMetric` writes it; ground truth alone without it.
        score: Predictions below this score are not drawn.
        extent: Metres shown in each direction; ground truth beyond it is left out.
        lidar_boxes: Draw the LiDAR's boxes of all objects as ground truth; so it is anyway with releases before 1.3.1,
            which don't say what cameras see.
    """

    dataset_type = WaymoClipDataset

    def __init__(
        self,
        index: str | Path,
        root: str | Path,
        results: str | Path | None = None,
        score: float = 0.25,
        extent: float = 55.0,
        lidar_boxes: bool = False,
    ) -> None:
        try:
            super().__init__(index, root, camera_synced=not lidar_boxes, only_visible=not lidar_boxes)
        except MissingCamerasError:
            lidar_boxes = True
            super().__init__(index, root, camera_synced=False, only_visible=False)
        self._predictions = None if results is None else _PredictedFrames(results)
        self._score, self._extent, self._lidar_boxes = score, extent, lidar_boxes

    def draw(self, number: int, width: int = 480) -> np.ndarray:
        """Draw one frame, its camera images at this width: RGB (H, W, 3) uint8."""
        clip, images, projections = self._load(number)
        token = clip["sample_token"]
        predicted = None if self._predictions is None else self._predictions.of(token).above(self._score)
        return draw_frame(
            images,
            projections,
            predicted,
            true_boxes(clip, self._dataset.classes, self._extent),
            extent=self._extent,
            title=self._title(token),
            camera_width=width,
            cameras=self.cameras,
            forward=_AHEAD,
        )

    def _title(self, token: str) -> str:
        segment, time = split_token(token)
        parts = [f"{segment}  {time} us"]
        if self._predictions is not None:
            parts.append(f"predictions with score >= {self._score:g}")
        if self._lidar_boxes:
            parts.append("ground truth: boxes of the LiDAR")
        return "   ".join(parts)


class _PredictedFrames:
    """Predictions of a file, by frame."""

    def __init__(self, path: str | Path) -> None:
        codes = FrameCodes()
        self._arrays = prediction_arrays(read_objects(path).objects, codes, str(path))
        rows = rows_by_frame(self._arrays["frame"], len(codes))
        self._rows = {(segment, time): own for (segment, _, time), own in zip(codes.keys, rows, strict=True)}

    def of(self, token: str) -> BoxSet:
        """The predictions of a frame."""
        rows = self._rows.get(split_token(token), np.zeros(0, dtype=int))
        names = [_NAMES[int(kind)] for kind in self._arrays["type"][rows]]
        return BoxSet(self._arrays["box"][rows], names, self._arrays["score"][rows])
