"""Runs the official nuScenes detection evaluation on any set of samples and class ranges."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import (
    add_center_dist,
    filter_eval_boxes,
    load_gt_of_sample_tokens,
    load_prediction_of_sample_tokens,
)
from nuscenes.eval.detection.data_classes import DetectionBox, DetectionConfig, DetectionMetrics
from nuscenes.eval.detection.evaluate import DetectionEval

from bev.datasets.nuscenes.classes import CLASSES

if TYPE_CHECKING:
    from nuscenes import NuScenes

CONFIGURATION = "detection_cvpr_2019"
# The devkit's names of the true-positive errors, and everybody else's.
TRUE_POSITIVE_ERRORS = {
    "trans_err": "ATE",
    "scale_err": "ASE",
    "orient_err": "AOE",
    "vel_err": "AVE",
    "attr_err": "AAE",
}


def detection_config(class_range_cap: float | None = None) -> DetectionConfig:
    """The official configuration, its class ranges cut at `class_range_cap` metres where that is given."""
    return DetectionConfig.deserialize(capped_ranges(config_factory(CONFIGURATION).serialize(), class_range_cap))


class SampleSetEval(DetectionEval):
    """The official evaluation of a given set of samples.

    The devkit's own constructor knows official splits and `splits.json` only, and fails when no box at all was
    predicted, as by an untrained model. Loading, filtering, matching and all numbers are the devkit's functions.
    """

    def __init__(self, nusc: NuScenes, config: DetectionConfig, results_path: str | os.PathLike, tokens: Sequence[str]):
        self.nusc, self.cfg, self.verbose = nusc, config, False
        self.pred_boxes, self.meta = load_prediction_of_sample_tokens(
            str(results_path), config.max_boxes_per_sample, DetectionBox, list(tokens)
        )
        with contextlib.redirect_stderr(io.StringIO()):  # The devkit draws a progress bar, verbose or not.
            self.gt_boxes = load_gt_of_sample_tokens(nusc, list(tokens), DetectionBox)
        self.pred_boxes, self.gt_boxes = (
            filter_boxes(nusc, boxes, config.class_range) for boxes in (self.pred_boxes, self.gt_boxes)
        )
        self.sample_tokens = self.gt_boxes.sample_tokens


def filter_boxes(nusc: NuScenes, boxes: EvalBoxes, class_range: Mapping[str, float]) -> EvalBoxes:
    """The boxes that the official evaluation looks at: within their class's range, with points."""
    boxes = add_center_dist(nusc, boxes)
    # The devkit's filter looks at the first box to learn its type.
    return filter_eval_boxes(nusc, boxes, class_range) if boxes.all else boxes


def capped_ranges(settings: dict, class_range_cap: float | None) -> dict:
    """A devkit configuration, serialised, with its class ranges cut at `class_range_cap` metres where that is given."""
    if class_range_cap is None:
        return settings
    ranges = {name: min(limit, class_range_cap) for name, limit in settings["class_range"].items()}
    return {**settings, "class_range": ranges}


def summarise(metrics: DetectionMetrics) -> dict:
    """The devkit's result under the usual names.

    Returns:
        NDS, mAP, mATE, mASE, mAOE, mAVE, mAAE, and `per_class`: for each class AP, ATE, ASE, AOE, AVE, AAE (NaN where
        the class has no such error) and `AP_dist`, the AP at each matching distance in metres.
    """
    summary = {"NDS": metrics.nd_score, "mAP": metrics.mean_ap}
    summary |= {f"m{short}": metrics.tp_errors[name] for name, short in TRUE_POSITIVE_ERRORS.items()}
    summary["per_class"] = _per_class(metrics, CLASSES)
    return summary


def summarise_classes(metrics: DetectionMetrics, classes: Sequence[str]) -> dict:
    """As `summarise`, with the classes given alone, and means and NDS over these by the devkit's formulas."""
    rows = _per_class(metrics, classes)
    summary = {"mAP": float(np.mean([row["AP"] for row in rows.values()]))}
    errors = {short: [row[short] for row in rows.values()] for short in TRUE_POSITIVE_ERRORS.values()}
    # A class without such an error (cones have no velocity) does not count; where all are such, the worst one does.
    summary |= {f"m{short}": float(np.nanmean(row)) if np.isfinite(row).any() else 1.0 for short, row in errors.items()}
    weight = metrics.cfg.mean_ap_weight
    scores = [max(0.0, 1.0 - summary[f"m{short}"]) for short in errors]
    return {"NDS": (weight * summary["mAP"] + sum(scores)) / (weight + len(scores)), **summary, "per_class": rows}


def _per_class(metrics: DetectionMetrics, classes: Sequence[str]) -> dict[str, dict]:
    mean_aps = metrics.mean_dist_aps
    return {
        name: {
            "AP": float(mean_aps[name]),
            **{short: float(metrics.get_label_tp(name, error)) for error, short in TRUE_POSITIVE_ERRORS.items()},
            "AP_dist": {str(d): float(metrics.get_label_ap(name, d)) for d in metrics.cfg.dist_ths},
        }
        for name in classes
    }


def flatten(summary: dict) -> dict[str, float]:
    """The summary as one level of numbers for a logger; errors that a class does not have are left out."""
    flat = {name: value for name, value in summary.items() if name != "per_class"}
    for class_name, values in summary["per_class"].items():
        flat |= {f"{class_name}_{k}": v for k, v in values.items() if k != "AP_dist" and not math.isnan(v)}
    return flat
