"""Pictures of OpenLane-V2 frames from an index and, if given, a file of predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bev.datasets.openlane_v2.dataset import OpenLaneClipDataset
from bev.datasets.openlane_v2.labels import LaneLabels
from bev.datasets.openlane_v2.submission import identifier_of, predictions_by_frame, read_submission
from bev.datasets.openlane_v2.submission_check import CENTERLINES, frame_problems
from bev.datasets.submission_errors import SubmissionError, refuse
from bev.errors import InputError
from bev.visualization.lanes import draw_lanes
from bev.visualization.painter import SamplePainter


class OpenLanePainter(SamplePainter):
    """Draws lanes, traffic elements and their topology.

    Args:
        index: Index file of `tools/create_data.py openlane_v2`.
        root: Data root that its paths start from.
        results: Predictions as `OpenLaneMetric` writes them, or a submission; ground truth alone without it.
        score: Predicted lanes and elements below this score are not drawn.
        relation: Nor are relations below this probability.
    """

    dataset_type = OpenLaneClipDataset

    def __init__(
        self,
        index: str | Path,
        root: str | Path,
        results: str | Path | None = None,
        score: float = 0.3,
        relation: float = 0.5,
    ) -> None:
        super().__init__(index, root)
        self._score, self._relation = score, relation
        self._results = None if results is None else predictions_by_frame(read_submission(results))

    def draw(self, number: int, width: int = 1600) -> np.ndarray:
        """Draw one frame at this width: RGB (H, W, 3) uint8.

        Raises:
            InputError: It has no annotation, and there are no predictions.
            SubmissionError: There is no prediction for it, or one that makes no sense.
            ImageReadError: An image can't be read.
        """
        clip, images, projections = self._load(number)
        front, labels = clip["camera_names"][0], clip["gt_lanes"]
        if labels is None and self._results is None:
            raise InputError(f"frame {clip['sample_token']}: no annotation; give --results")
        views = {}
        if self._results is not None:
            views["prediction"] = self._predicted(clip["sample_token"], front)
        if labels is not None:
            views["ground truth"] = labels
        return draw_lanes(images[front], projections[front], views, title=clip["sample_token"], width=width)

    def _predicted(self, token: str, camera: str) -> LaneLabels:
        found = (self._results or {}).get(identifier_of(token))
        if found is None:
            raise SubmissionError(f"frame {token}: there is no prediction of it")
        refuse(frame_problems({"predictions": found}, CENTERLINES), f"frame {token}: its prediction can't be drawn")
        lanes, elements = found["lane_centerline"], found["traffic_element"]
        kept = np.array([lane["confidence"] >= self._score for lane in lanes], dtype=bool)
        shown = np.array([element["confidence"] >= self._score for element in elements], dtype=bool)
        points = np.array([lane["points"] for lane in lanes]).reshape(len(lanes), -1, 3)
        return LaneLabels(
            lanes=points[kept],
            traffic_boxes=np.array([element["points"] for element in elements]).reshape(-1, 4)[shown],
            traffic_attributes=np.array([element["attribute"] for element in elements], dtype=int)[shown],
            topology_lclc=np.asarray(found["topology_lclc"])[kept][:, kept] > self._relation,
            topology_lcte=np.asarray(found["topology_lcte"])[kept][:, shown] > self._relation,
            camera=camera,
            token=token,
        )
