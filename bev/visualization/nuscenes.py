"""Pictures of nuScenes samples from an index and, if given, a submission file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bev.datasets.nuscenes.lidar_files import read_points
from bev.datasets.nuscenes.submission import boxes_of_records, check_records, read_submission
from bev.geometry import invert_pose, transform_boxes
from bev.visualization.boxes import BoxSet, true_boxes
from bev.visualization.frame import draw_frame
from bev.visualization.painter import SamplePainter


class NuScenesPainter(SamplePainter):
    """Draws the boxes of samples.

    Args:
        index: Index file, as `tools/create_data.py` writes it.
        root: Data root that its paths start from.
        results: Submission with predictions to draw; ground truth alone without it.
        score: Predictions below this score are not drawn.
        extent: Metres shown in each direction; ground truth beyond it is left out.
    """

    def __init__(
        self,
        index: str | Path,
        root: str | Path,
        results: str | Path | None = None,
        score: float = 0.25,
        extent: float = 55.0,
    ) -> None:
        super().__init__(index, root)
        self._source = results
        self._results = read_submission(results)["results"] if results else None
        self._score, self._extent = score, extent

    def draw(self, number: int, width: int = 480) -> np.ndarray:
        """Draw one sample, its camera images at this width: RGB (H, W, 3) uint8."""
        clip, images, projections = self._load(number)
        return draw_frame(
            images,
            projections,
            None if self._results is None else self._predictions(clip),
            true_boxes(clip, self._dataset.classes, self._extent),
            read_lidar(clip["lidar_path"]),
            extent=self._extent,
            title=f"{clip['sample_token'][:8]}"
            + (f"   predictions with score >= {self._score:g}" if self._results else ""),
            camera_width=width,
            cameras=self.cameras,
        )

    def _predictions(self, clip: dict) -> BoxSet:
        """Predictions of a sample, moved from the global to its bev frame."""
        records = (self._results or {}).get(clip["sample_token"], [])
        check_records(clip["sample_token"], records, str(self._source))
        boxes = transform_boxes(boxes_of_records(records), invert_pose(clip["global_T_bev"]))
        scores = np.array([record["detection_score"] for record in records], dtype=float)
        return BoxSet(boxes, [record["detection_name"] for record in records], scores).above(self._score)


def read_lidar(path: str | Path | None) -> np.ndarray | None:
    """Points (P, 3) of a nuScenes `.pcd.bin` file in the LiDAR frame; None where there is no file."""
    if path is None or not Path(path).is_file():
        return None
    return read_points(path)[:, :3]
