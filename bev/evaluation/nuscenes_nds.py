"""nuScenes detection score (NDS) through the official evaluation."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.registry import METRICS

from bev.datasets.index_io import read_samples
from bev.datasets.nuscenes.classes import CLASSES
from bev.datasets.nuscenes.index_tables import TablesError, open_tables, sample_tokens
from bev.datasets.nuscenes.submission import format_boxes, read_submission, validate_submission, write_submission
from bev.errors import InputError
from bev.evaluation.sample_metric import SampleMetric

if TYPE_CHECKING:
    from nuscenes import NuScenes


@METRICS.register_module()
class NuScenesNDS(SampleMetric):
    """NDS, mAP, the five true-positive errors and their values per class, by nuscenes-devkit.

    Args:
        data_root: folder that holds the tables' folder.
        version: the tables' folder, such as v1.0-trainval; by default what the index says.
        split: official or custom split; by default the samples of the index.
        ann_file: index file, where `split` is not given.
        splits_file: custom splits, where they are not in `splits.json` beside the tables.
        class_range_cap: cuts each class's official range (50, 40 or 30 m) at this many metres.
        classes: nuScenes' class by class of the model, {"vehicle": "car"}; other classes are left out, and means are
            those over the classes named. Without it, the model's names are nuScenes'.
        output_dir: where `results_nusc.json` goes; a temporary folder by default.
        format_only: write the file and evaluate nothing, for splits without annotations.
        only_predicted: evaluate the samples that were predicted and ignore the others of the split.
        modality: what the method used, for the submission's `meta`; cameras only by default.
        collect_device: where results of several processes meet, "cpu" or "gpu".
        prefix: stands before the names of the numbers.
    """

    default_prefix = dataset = "nuscenes"

    def __init__(
        self,
        data_root: str,
        version: str | None = None,
        split: str | None = None,
        ann_file: str | None = None,
        splits_file: str | None = None,
        class_range_cap: float | None = None,
        classes: Mapping[str, str] | None = None,
        output_dir: str | None = None,
        format_only: bool = False,
        only_predicted: bool = False,
        modality: dict[str, bool] | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(output_dir, format_only, collect_device, prefix)
        if ann_file is None and (version is None or split is None):
            raise InputError("NuScenesNDS needs ann_file (an index file), or version and split")
        self.data_root = data_root
        self.version, self.split, self.splits_file, self.ann_file = version, split, splits_file, ann_file
        self.class_range_cap = class_range_cap
        unknown = set((classes or {}).values()) - set(CLASSES)
        if unknown:
            wrong = ", ".join(sorted(unknown))
            raise InputError(f"classes: nuScenes has no class {wrong}; it has {', '.join(CLASSES)}")
        self.classes = dict(classes) if classes else None
        self.only_predicted, self.modality = only_predicted, modality

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Formats the predictions of a batch.

        Args:
            data_batch: not used.
            data_samples: dicts of `Det3DDataSample` with `pred_instances_3d` (bboxes_3d, scores_3d, labels_3d and,
                where the model predicts them, attributes), `sample_token` and `global_T_bev`. Samples of other data
                sets are passed over.
        """
        names = (self.dataset_meta or {}).get("classes", CLASSES)
        if self.classes is not None:
            names = [self.classes.get(name) for name in names]
        known = np.array([name is not None for name in names])
        for sample in self.own(data_samples):
            predictions = sample["pred_instances_3d"]
            labels, attributes = predictions["labels_3d"].cpu(), predictions.get("attributes")
            kept = torch.from_numpy(np.flatnonzero(known[labels.numpy()]))
            records = format_boxes(
                predictions["bboxes_3d"].to("cpu")[kept],
                predictions["scores_3d"].cpu()[kept],
                labels[kept],
                sample["global_T_bev"],
                sample["sample_token"],
                attributes=None if attributes is None else [attributes[row] for row in kept.tolist()],
                classes=names,
            )
            self.results.append((sample["sample_token"], records))

    def score(self, by_token: dict[str, list[dict]]) -> dict[str, float]:
        """Writes `results_nusc.json` and evaluates it.

        Raises:
            SubmissionError: samples of the split were not predicted, or a number makes no sense.
        """
        with tempfile.TemporaryDirectory() as temporary:
            path = (self.output_dir or Path(temporary)) / "results_nusc.json"
            write_submission(path, by_token, self.modality)  # first: tables may turn out to be damaged
            version, tokens = self._version_and_tokens()
            if self.only_predicted:
                tokens = [token for token in tokens if token in by_token]
            if self.format_only:
                boxes = validate_submission(read_submission(path), tokens, path)
                MMLogger.get_current_instance().info(f"{path}: {len(tokens)} samples, {boxes} boxes")
                return {}
            nusc = open_tables(self.data_root, version)
            kept = None if self.classes is None else sorted(set(self.classes.values()))
            summary = evaluate_results(path, nusc, samples=tokens, class_range_cap=self.class_range_cap, classes=kept)
        from bev.evaluation.nuscenes_devkit import flatten

        return flatten(summary)

    def _version_and_tokens(self) -> tuple[str, list[str]]:
        if self.split is not None and self.version is not None:
            return self.version, sample_tokens(self.data_root, self.version, self.split, self.splits_file)
        index = read_samples(str(self.ann_file))
        return self.version or index["metainfo"]["version"], [entry["token"] for entry in index["data_list"]]


def evaluate_results(
    results_path: str | os.PathLike,
    nusc: NuScenes,
    split: str | None = None,
    *,
    splits_file: str | os.PathLike | None = None,
    samples: Collection[str] | None = None,
    class_range_cap: float | None = None,
    classes: Sequence[str] | None = None,
) -> dict:
    """Evaluates a submission file.

    Args:
        results_path: `results_nusc.json`.
        nusc: opened tables with annotations (`bev.datasets.nuscenes.index_tables.open_tables`).
        split: official or custom split; the file must hold each of its samples and no other.
        splits_file: custom splits, where they are not in `splits.json` beside the tables.
        samples: the sample tokens themselves, in place of a split.
        class_range_cap: cuts each class's official range at this many metres.
        classes: those to report and to take means over; all by default, which gives the official numbers.

    Returns:
        NDS, mAP, mATE, mASE, mAOE, mAVE, mAAE and `per_class`, as `nuscenes_devkit.summarise` describes.

    Raises:
        SubmissionError: the file is not a valid submission for these samples.
        TablesError: no samples, or tables without annotations.
        InputError: neither split nor samples given.
    """
    if samples is not None:
        tokens = samples
    elif split is not None:
        tokens = sample_tokens(nusc.dataroot, nusc.version, split, splits_file)
    else:
        raise InputError("evaluate_results needs a split or samples")
    validate_submission(read_submission(results_path), tokens, results_path)
    if not tokens:
        raise TablesError(f"{results_path}: no samples to evaluate")
    if not nusc.sample_annotation:
        raise TablesError(
            f"{nusc.version} has no annotations to evaluate against; write a submission instead (format_only=True, "
            "then tools/submit.py nuscenes)"
        )
    # The devkit's evaluation draws curves with matplotlib and takes seconds to import.
    from bev.evaluation.nuscenes_devkit import SampleSetEval, detection_config, summarise, summarise_classes

    metrics, _ = SampleSetEval(nusc, detection_config(class_range_cap), results_path, list(tokens)).evaluate()
    return summarise(metrics) if classes is None else summarise_classes(metrics, classes)
