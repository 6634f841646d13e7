"""OpenLane-V2's score in a validation loop: each frame is judged when it is predicted, what is kept is small."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmengine.registry import METRICS

from bev.datasets.atomic import atomic_write
from bev.datasets.index_io import read_samples
from bev.datasets.openlane_v2.devkit_format import annotation_of, prediction_of
from bev.errors import InputError
from bev.evaluation.openlane.rules import rules_of
from bev.evaluation.openlane_ols import OLSFrameResult, judge_frame, summarise
from bev.evaluation.sample_metric import SampleMetric
from bev.geometry import invert_pose

PREDICTIONS = "lanes.pkl"
SHOWN = ("OLS", "DET_l", "DET_t", "TOP_ll", "TOP_lt")


@METRICS.register_module()
class OpenLaneMetric(SampleMetric):
    """OLS of centrelines, traffic elements and their topology, and predictions for `tools/submit.py openlane_v2`.

    Truth is that of the index, in pixels of the image files, whatever the pipeline made of the images. All frames of
    the index that were predicted count; lanes that were predicted in another vehicle frame than that of the annotation
    (nuScenes samples, whose frame is that of the LiDAR sweep) are moved by the poses.

    Args:
        ann_file: Index of `tools/create_data.py openlane_v2`, relative to `data_root`.
        data_root: Folder of the index.
        version: "v1.1", or "v1.0" of the CVPR 2023 challenge; their scores cannot be compared.
        output_dir: Folder that gets all predictions, by split/segment/timestamp, as `lanes.pkl`.
        format_only: Write predictions and evaluate nothing, for frames without annotation.
        collect_device: Where results of several processes meet, "cpu" or "gpu".
        prefix: Stands before the names of the numbers.

    Raises:
        InputError: If predictions would neither be written nor evaluated, or the version is unknown.
    """

    default_prefix = "openlane"

    def __init__(
        self,
        ann_file: str,
        data_root: str = "",
        version: str = "v1.1",
        output_dir: str | None = None,
        format_only: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(output_dir, format_only, collect_device, prefix)
        rules_of(version)
        self.index, self.version = Path(data_root or "", ann_file), version
        self._frames: dict[str, dict] | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Judges the predictions of a batch.

        Args:
            data_batch: Not used.
            data_samples: Dicts of samples with `pred_lanes`, `sample_token`, `global_T_bev`, and the annotated frame's
                token in `gt_lanes` where it is another than the sample's.
        """
        for sample in data_samples:
            token, frame = self._frame_of(sample)
            frame_T_bev = invert_pose(np.asarray(frame["ego2global"])) @ np.asarray(sample["global_T_bev"])
            prediction = prediction_of(sample["pred_lanes"], frame_T_bev)
            judged = None if self.format_only else self._judge(token, frame, prediction)
            self.results.append((token, (judged, prediction if self.output_dir else None)))

    def _judge(self, token: str, frame: Mapping[str, Any], prediction: dict) -> OLSFrameResult:
        if frame["lane_topology"] is None:
            raise InputError(f"{self.index}: frame {token} has no annotation to judge by; set format_only=True")
        truth = annotation_of(frame["lane_topology"], f"{self.index}, frame {token}")
        return judge_frame(token, truth, prediction, self.version)

    def _frame_of(self, sample: Mapping[str, Any]) -> tuple[str, dict]:
        if self._frames is None:
            records = read_samples(self.index, "lane_topology")["data_list"]
            self._frames = {record["token"]: record for record in records}
        token = sample.get("gt_lanes", {}).get("token") or sample["sample_token"]
        if token not in self._frames:
            raise InputError(f"{self.index}: no frame {token}; the metric needs the index that the samples come from")
        return token, self._frames[token]

    def score(self, by_token: dict[str, tuple[OLSFrameResult | None, dict | None]]) -> dict[str, float]:
        """OLS and its parts, DET_l by distance, DET_t by attribute, F-score."""
        logger = MMLogger.get_current_instance()
        if self.output_dir is not None:
            path = self.output_dir / PREDICTIONS
            with atomic_write(path) as file:
                pickle.dump({token: prediction for token, (_, prediction) in by_token.items()}, file, protocol=4)
            logger.info(f"{path.resolve()}: predictions of {len(by_token)} frames")
        if self.format_only:
            return {}
        frames = [frame for frame, _ in by_token.values() if frame is not None]
        scores = summarise(frames)
        shown = ", ".join(f"{name} {100 * scores[name]:.2f}" for name in SHOWN)
        logger.info(f"lane topology of {len(frames)} frames, metric {self.version}: {shown}")
        return scores
