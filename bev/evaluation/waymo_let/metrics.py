"""Waymo detection metrics: LET-3D-AP, LET-3D-APL, LET-3D-APH (Hung et al., arXiv 2206.07705), plain 3D AP and APH.

Counts and values are those of the official implementation, including which of several equal matchings it ends with.

Shapes: B rows of results (breakdown, shard, level), S shards, C score cut-offs, N objects of all frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from bev.datasets.parallel import run_forked
from bev.evaluation.waymo_let.average_precision import PrecisionCurves, average_precision, precision_curves
from bev.evaluation.waymo_let.config import MetricConfig, MetricConfigError, ObjectType, estimate_cutoffs
from bev.evaluation.waymo_let.counting import (
    AFFINITY,
    FALSE_POSITIVE,
    HEADING,
    MISSED_LEVEL_1,
    MISSED_LEVEL_2,
    NUM_COUNTS,
    TRUE_POSITIVE,
    count_frame,
)
from bev.evaluation.waymo_let.frames import FrameObjects, split_frames
from bev.evaluation.waymo_let.shards import row_labels, shard_names

REPORTED_TYPES = (ObjectType.VEHICLE, ObjectType.PEDESTRIAN, ObjectType.CYCLIST)
"""The classes whose mean the challenge ranks by; signs aren't among them."""


@dataclass(frozen=True)
class DetectionMetrics:
    """Results by row.

    Attributes:
        names: B names, as the official tool prints them.
        breakdown: (B, 3) int64: breakdown, shard, level.
        AP: (B,) average precision.
        APH: (B,) weighted by heading accuracy.
        APL: (B,) weighted by longitudinal affinity; equals AP for plain metrics.
        curves: (B, C) precision and recall.
        true_positives: (B, C) int64.
        false_positives: (B, C) int64.
        false_negatives: (B, C) int64.
        heading: (B, C) sums of heading accuracy over true positives.
        affinity: (B, C) sums of longitudinal affinity over true positives.
        score_cutoffs: (C,) float32.
    """

    names: list[str]
    breakdown: np.ndarray
    AP: np.ndarray
    APH: np.ndarray
    APL: np.ndarray
    curves: PrecisionCurves
    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray
    heading: np.ndarray
    affinity: np.ndarray
    score_cutoffs: np.ndarray

    def summary(self) -> dict[str, dict[str, float]]:
        """`AP`, `APH` and `APL` by row name; `ALL_NS_LEVEL_k` is the mean over vehicles, pedestrians and cyclists."""
        rows = {
            name: {"AP": float(self.AP[b]), "APH": float(self.APH[b]), "APL": float(self.APL[b])}
            for b, name in enumerate(self.names)
        }
        means = {}
        for level in (1, 2):
            parts = [rows.get(f"OBJECT_TYPE_TYPE_{kind.name}_LEVEL_{level}") for kind in REPORTED_TYPES]
            present = [part for part in parts if part is not None]
            if present:
                means[f"ALL_NS_LEVEL_{level}"] = {
                    key: float(np.mean([part[key] for part in present])) for key in present[0]
                }
        return {**means, **rows}


class Accumulator:
    """Counts of the frames seen so far; two of one config can be added.

    Args:
        config: Of the metrics.

    Raises:
        MetricConfigError: The config derives score cut-offs from all predictions, which a stream doesn't know.
    """

    def __init__(self, config: MetricConfig) -> None:
        if not config.score_cutoffs:
            raise MetricConfigError(
                "without score_cutoffs, frames can't be counted one by one: set them, or use detection_metrics"
            )
        self.config = config
        self.score_cutoffs = np.array(config.score_cutoffs, dtype=np.float32)
        shards = sum(len(shard_names(entry.breakdown)) for entry in config.breakdowns)
        self.totals = np.zeros((shards, len(self.score_cutoffs), NUM_COUNTS))

    def add(self, frame: FrameObjects) -> None:
        """Counts one frame."""
        count_frame(frame, self.config, self.score_cutoffs, self.totals)

    def __add__(self, other: Accumulator) -> Accumulator:
        if other.config != self.config:
            raise MetricConfigError("counts of different configs can't be added")
        result = Accumulator(self.config)
        result.totals = self.totals + other.totals
        return result

    def metrics(self) -> DetectionMetrics:
        """The results for what was counted."""
        labels = row_labels(self.config)
        totals = self.totals[self._shard_of_rows()]
        levels = np.array([level for *_, level in labels], dtype=np.int64)
        missed = np.where((levels == 1)[:, None], totals[..., MISSED_LEVEL_1], totals[..., MISSED_LEVEL_2])
        right, wrong = totals[..., TRUE_POSITIVE], totals[..., FALSE_POSITIVE]
        heading, affinity = totals[..., HEADING], totals[..., AFFINITY]
        curve = precision_curves(right, wrong, missed, heading, affinity, self.config.min_precision)
        return DetectionMetrics(
            names=[name for name, *_ in labels],
            breakdown=np.array([row[1:] for row in labels], dtype=np.int64).reshape(-1, 3),
            AP=self._areas(curve.precision, curve.recall),
            APH=self._areas(curve.precision_heading, curve.recall),
            APL=self._areas(curve.precision_affinity, curve.recall),
            curves=curve,
            true_positives=right.astype(np.int64),
            false_positives=wrong.astype(np.int64),
            false_negatives=missed.astype(np.int64),
            heading=heading,
            affinity=affinity,
            score_cutoffs=self.score_cutoffs,
        )

    def _areas(self, precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
        """(B,) average precisions of (B, C) curves."""
        delta = self.config.recall_delta
        return np.array([average_precision(*curve, delta) for curve in zip(precision, recall, strict=True)])

    def _shard_of_rows(self) -> np.ndarray:
        """(B,) position of each row's shard among the shards of all breakdowns."""
        positions, start = [], 0
        for entry in self.config.breakdowns:
            number = len(shard_names(entry.breakdown))
            positions.append(np.repeat(np.arange(start, start + number), len(entry.levels)))
            start += number
        return np.concatenate(positions) if positions else np.zeros(0, dtype=np.int64)


def detection_metrics(
    predictions: Mapping[str, np.ndarray],
    ground_truths: Mapping[str, np.ndarray],
    config: MetricConfig | None = None,
    workers: int = 1,
) -> DetectionMetrics:
    """Evaluates predictions of many frames.

    Boxes are x, y, z of the centre, length, width, height, heading in the vehicle frame: metres, radians. Frames of
    either side count; order matters only among matchings of equal weight.

    Args:
        predictions: Arrays box (N, 7), type (N,) of `ObjectType`, score (N,), frame (N,), and nlz (N,), whether the
            prediction overlaps a no-label zone (False without it).
        ground_truths: Arrays box (N, 7), type (N,), frame (N,), diff (N,), the difficulty 1 or 2 (0, which counts at
            both, without it), and camera (N,), the most visible camera 1 to 5 (0: told from the azimuth). Others, such
            as speed, aren't used.
        config: The challenge's without one.
        workers: Processes that share the frames.

    Returns:
        Metrics by breakdown, shard and level.

    Raises:
        ObjectsError: An array is missing, or its shape or values are wrong.
        MetricConfigError: The config contradicts itself.
    """
    config = config or MetricConfig.challenge()
    frames = list(split_frames(predictions, ground_truths))
    if not config.score_cutoffs:
        cutoffs = estimate_cutoffs(predictions["score"], config.num_desired_score_cutoffs)
        config = replace(config, score_cutoffs=tuple(cutoffs.tolist()))
    return accumulate(frames, config, workers).metrics()


def accumulate(frames: Sequence[FrameObjects], config: MetricConfig, workers: int = 1) -> Accumulator:
    """Counts frames in several processes.

    The sums of heading accuracies and affinities are added in an order that depends on the number of workers only.
    """

    def count(part: int) -> tuple[int, np.ndarray]:
        counted = Accumulator(config)
        for frame in frames[part::workers]:
            counted.add(frame)
        return part, counted.totals

    if workers > 1 and frames:
        Accumulator(config).add(frames[0])  # compiles what it calls, once for all forked processes
    totals = dict(run_forked(count, range(workers), workers))
    result = Accumulator(config)
    result.totals = reduce(add, (totals[part] for part in range(workers)))
    return result
