"""Waymo's detection metrics of a model: LET-3D-APL, -AP and -APH, or plain 3D AP and APH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmengine.registry import METRICS

from bev.datasets.atomic import atomic_write
from bev.datasets.text_files import write_json
from bev.datasets.waymo.classes import CLASSES, TYPES
from bev.datasets.waymo.ground_truth import ground_truth_objects
from bev.datasets.waymo.index_build import read_segments
from bev.datasets.waymo.objects import (
    FrameCodes,
    ground_truth_arrays,
    objects_from_arrays,
    prediction_arrays,
)
from bev.datasets.waymo.segment import frame_token, split_token
from bev.errors import InputError
from bev.evaluation.sample_metric import SampleMetric
from bev.evaluation.waymo_let import DetectionMetrics, MetricConfig, detection_metrics
from bev.structures.boxes import gravity_array

PREDICTIONS, GROUND_TRUTHS, METRICS_FILE = "predictions.bin", "ground_truths.bin", "waymo_metrics.json"
KINDS = {"let": ("LET-3D-APL", "LET-3D-AP", "LET-3D-APH"), "3d": ("3D-AP", "3D-APH")}


class PredictionsError(InputError):
    """Predictions that can't be evaluated; the message says which and why."""


@METRICS.register_module()
class WaymoMetric(SampleMetric):
    """Evaluates in process; the files it writes are what `tools/evaluate.py` and `tools/submit.py` read.

    Results are means over vehicles, pedestrians and cyclists ("LET-3D-APL"), and values by class
    ("vehicle_LET-3D-APL"); where several levels are evaluated they end in _L1 and _L2. All breakdowns go to
    `waymo_metrics.json`.

    Args:
        ann_file: Index of the frames, relative to `data_root`.
        data_root: Folder of the index.
        metric: 'let' for the camera-only challenge's, or '3d' for plain 3D metrics against the LiDAR's boxes.
        levels: Difficulty levels; the official ones by default.
        interval: That of the data set: every how many frames one is evaluated.
        classes: Waymo's class by class of the model, {"car": "vehicle"}; other classes are left out. Without it, the
            names are Waymo's.
        output_dir: Where predictions, ground truths and all metrics go; nothing is written by default.
        format_only: Write the predictions and evaluate nothing, for splits without labels.
        only_predicted: Evaluate the frames that were predicted and ignore the others of the index.
        workers: Processes that share the frames.
        collect_device: Where results of several processes meet, "cpu" or "gpu".
        prefix: Stands before the names of the numbers.
    """

    default_prefix = dataset = "waymo"

    def __init__(
        self,
        ann_file: str,
        data_root: str = "",
        metric: str = "let",
        levels: Sequence[int] | None = None,
        interval: int = 1,
        classes: Mapping[str, str] | None = None,
        output_dir: str | None = None,
        format_only: bool = False,
        only_predicted: bool = False,
        workers: int = 1,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(output_dir, format_only, collect_device, prefix)
        if metric not in KINDS:
            raise InputError(f"metric must be 'let' or '3d', not {metric!r}")
        unknown = set((classes or {}).values()) - set(TYPES)
        if unknown:
            raise InputError(f"classes: Waymo has no class {', '.join(sorted(unknown))}; it has {', '.join(TYPES)}")
        self.ann_file = ann_file if "://" in data_root else str(Path(data_root, ann_file))
        self.config = MetricConfig.official(metric, levels)
        self.metric, self.interval = metric, interval
        self.classes = dict(classes) if classes else dict(zip(TYPES, TYPES, strict=True))
        self.only_predicted, self.workers = only_predicted, workers

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keeps the predictions of a batch.

        Args:
            data_batch: Not used.
            data_samples: Dicts of `Det3DDataSample` with `pred_instances_3d` (bboxes_3d in the vehicle frame,
                scores_3d, labels_3d) and `sample_token`. Samples of other data sets are passed over.
        """
        names = (self.dataset_meta or {}).get("classes", CLASSES)
        types = np.array([TYPES.get(self.classes.get(name, ""), 0) for name in names], dtype=np.int64)
        for sample in self.own(data_samples):
            found = sample["pred_instances_3d"]
            kinds = types[found["labels_3d"].cpu().numpy()]
            kept = kinds > 0
            box, score = gravity_array(found["bboxes_3d"])[kept, :7], found["scores_3d"].cpu().numpy()[kept]
            arrays = {"box": box, "type": kinds[kept], "score": score}
            self.results.append((sample["sample_token"], arrays))

    def score(self, by_token: dict[str, dict[str, np.ndarray]]) -> dict[str, float]:
        """Writes the files and evaluates.

        Raises:
            PredictionsError: Frames of the index were not predicted, or it has no objects.
            ObjectsFileError: None of its objects counts.
        """
        predictions = _objects(by_token)
        self._write(PREDICTIONS, predictions.SerializeToString(deterministic=True))
        if self.format_only:
            message = f"{self.output_dir}/{PREDICTIONS}: {len(by_token)} frames, {len(predictions.objects)} objects"
            MMLogger.get_current_instance().info(message)
            return {}
        segments = read_segments(self.ann_file)
        if not any(len(segment.types) for segment in segments):
            raise PredictionsError(f"{self.ann_file}: no object to evaluate against; set format_only=True")
        frames = [frame_token(s.name, int(time)) for s in segments for time in s.timestamps[:: self.interval]]
        if self.only_predicted:
            frames = [token for token in frames if token in by_token]
        self._check_frames(frames, by_token)
        truths = ground_truth_objects(segments, frames)
        self._write(GROUND_TRUTHS, truths.SerializeToString(deterministic=True))
        return self._evaluate(predictions, truths)

    def _evaluate(self, predictions: Any, truths: Any) -> dict[str, float]:
        codes = FrameCodes()
        found = prediction_arrays(predictions.objects, codes)
        truth = ground_truth_arrays([(self.ann_file, truths.objects)], codes, self.metric)
        metrics = detection_metrics(found, truth, self.config, self.workers)
        if self.output_dir is not None:
            write_json(self.output_dir / METRICS_FILE, metrics.summary(), indent=2)
        return self._numbers(metrics)

    def _numbers(self, metrics: DetectionMetrics) -> dict[str, float]:
        """What is logged: means and values by class."""
        summary = metrics.summary()
        levels = [level for level in (1, 2) if f"ALL_NS_LEVEL_{level}" in summary]
        numbers = {}
        for level in levels:
            ending = f"_L{level}" if len(levels) > 1 else ""
            for who in ("", *CLASSES):
                row = summary[f"OBJECT_TYPE_TYPE_{who.upper()}_LEVEL_{level}" if who else f"ALL_NS_LEVEL_{level}"]
                for kind in KINDS[self.metric]:
                    numbers[f"{who}_{kind}{ending}".lstrip("_")] = row[kind.rsplit("-", 1)[1]]
        return numbers

    def _check_frames(self, frames: Sequence[str], by_token: Mapping[str, Any]) -> None:
        missing = [token for token in frames if token not in by_token]
        strange = sorted(set(by_token) - set(frames))
        if missing or strange:
            which = f"{missing[0]} was not predicted" if missing else f"{strange[0]} is not of the index"
            raise PredictionsError(
                f"{self.ann_file}: {len(missing)} of {len(frames)} frames have no prediction and {len(strange)} "
                f"predicted ones are strange ({which}); give the metric the index and interval of the data set, or "
                "only_predicted=True"
            )

    def _write(self, name: str, content: bytes) -> None:
        if self.output_dir is not None:
            with atomic_write(self.output_dir / name) as file:
                file.write(content)


def _objects(by_token: Mapping[str, dict[str, np.ndarray]]) -> Any:
    """Predictions of all frames as an `Objects` message."""
    contexts, times = [], []
    for token, arrays in by_token.items():
        segment, time = split_token(token)
        contexts += [segment] * len(arrays["type"])
        times += [time] * len(arrays["type"])
    empty = {"box": np.zeros((0, 7)), "type": np.zeros(0, dtype=np.int64), "score": np.zeros(0)}
    parts = [empty, *by_token.values()]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in empty}
    return objects_from_arrays(arrays, contexts, times)
