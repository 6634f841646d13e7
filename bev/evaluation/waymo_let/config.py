"""What the Waymo detection metrics are computed with: the fields of the official `Config` message."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from bev.datasets.text_files import read_text
from bev.errors import InputError

CHALLENGE_CUTOFFS = (*(i * 0.01 for i in range(100)), 1.0)


class MetricConfigError(InputError):
    """A config that asks for what these metrics don't compute, or that contradicts itself."""


class ObjectType(IntEnum):
    """Classes of the data set."""

    VEHICLE = 1
    PEDESTRIAN = 2
    SIGN = 3
    CYCLIST = 4


class Breakdown(IntEnum):
    """By what the objects are split into shards; each shard has metrics of its own."""

    ONE_SHARD = 1
    OBJECT_TYPE = 2
    RANGE = 3
    CAMERA = 10


class Alignment(IntEnum):
    """Where a prediction is moved to before its IoU with a ground truth is taken, along its own line of sight.

    `CENTER` isn't on that line: it takes x and y of the ground truth.
    """

    NONE = 1
    RANGE = 2
    CENTER = 3
    FURTHER_ONLY = 4
    ANY_CLOSER_ONLY = 5
    BETWEEN_ORIGIN_AND_TRUTH = 6


@dataclass(frozen=True)
class LetConfig:
    """How longitudinal errors are tolerated.

    Attributes:
        sensor_location: x, y, z in the vehicle frame, metres; the cameras' mean position.
        tolerance: Longitudinal error at which the affinity is 0, as a share of the ground truth's distance.
        min_tolerance: The same for near objects, metres.
        alignment: Where predictions are moved to.
    """

    sensor_location: tuple[float, float, float] = (1.43, 0.0, 2.18)
    tolerance: float = 0.1
    min_tolerance: float = 0.5
    alignment: Alignment = Alignment.RANGE


@dataclass(frozen=True)
class BreakdownLevels:
    """A breakdown and the difficulty levels, 1 or 2, that it is evaluated at."""

    breakdown: Breakdown
    levels: tuple[int, ...] = (2,)


@dataclass(frozen=True)
class MetricConfig:
    """A config of the metrics; `challenge()` and `plain()` give the official ones.

    Attributes:
        breakdowns: In the order of the results' rows.
        iou_thresholds: Lowest IoU of a match by `ObjectType`; the first is that of no type.
        score_cutoffs: Points of the precision-recall curves. Without any, `num_desired_score_cutoffs` of them are
            derived from the scores of all predictions.
        num_desired_score_cutoffs: See above.
        let: Longitudinal tolerance; None for plain 3D metrics.
        planar: Boxes are rectangles on the ground (box type 2D), without z and height.
        recall_delta: Widest gap of recall without a precision.
        min_precision: Lower precisions count as 0.
        min_heading_accuracy: Matches at most so accurate aren't true positives.
    """

    breakdowns: tuple[BreakdownLevels, ...]
    iou_thresholds: tuple[float, ...] = (0.0, 0.5, 0.3, 0.3, 0.3)
    score_cutoffs: tuple[float, ...] = CHALLENGE_CUTOFFS
    num_desired_score_cutoffs: int = 0
    let: LetConfig | None = LetConfig()
    planar: bool = False
    recall_delta: float = 0.05
    min_precision: float = 0.0
    min_heading_accuracy: float = -1.0

    def __post_init__(self) -> None:
        if len(self.iou_thresholds) != len(ObjectType) + 1:
            raise MetricConfigError(
                f"{len(self.iou_thresholds)} IoU thresholds; {len(ObjectType) + 1} are needed, one by type from 0"
            )
        if not self.score_cutoffs and self.num_desired_score_cutoffs < 1:
            raise MetricConfigError("neither score_cutoffs nor num_desired_score_cutoffs are set")
        wrong = {level for entry in self.breakdowns for level in entry.levels} - {1, 2}
        if wrong:
            raise MetricConfigError(f"difficulty levels are 1 and 2, found {sorted(wrong)}")

    @classmethod
    def challenge(cls, levels: Sequence[int] = (2,)) -> MetricConfig:
        """The LET-3D metrics of the camera-only 3D detection challenge (the official C++ tool's config)."""
        kinds = (Breakdown.OBJECT_TYPE, Breakdown.RANGE, Breakdown.CAMERA)
        return cls(tuple(BreakdownLevels(kind, tuple(levels)) for kind in kinds))

    @classmethod
    def plain(cls, levels: Sequence[int] = (1, 2)) -> MetricConfig:
        """The 3D detection metrics without tolerance of longitudinal errors."""
        kinds = (Breakdown.OBJECT_TYPE, Breakdown.RANGE)
        breakdowns = tuple(BreakdownLevels(kind, tuple(levels)) for kind in kinds)
        return cls(breakdowns, iou_thresholds=(0.0, 0.7, 0.5, 0.5, 0.5), let=None)

    @classmethod
    def official(cls, metric: str, levels: Sequence[int] | None = None) -> MetricConfig:
        """That of a metric, 'let' for `challenge` or '3d' for `plain`, at its official levels if none are given."""
        config = {"let": cls.challenge, "3d": cls.plain}[metric]
        return config(levels) if levels else config()

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> MetricConfig:
        """Reads an official `Config` from a file in protobuf's text format.

        Raises:
            MetricConfigError: See `from_text`; the message names the file.
            OSError: It can't be read.
        """
        text = read_text(path, MetricConfigError)
        try:
            return cls.from_text(text)
        except MetricConfigError as error:
            raise MetricConfigError(f"{path}: {error}") from error

    @classmethod
    def from_text(cls, text: str) -> MetricConfig:
        """Reads an official `Config` in protobuf's text format.

        Raises:
            MetricConfigError: It can't be parsed, or asks for a breakdown, matcher or box type that isn't computed
                here.
        """
        from google.protobuf import text_format

        from bev.datasets.waymo.messages import message_class

        message = message_class("Config")()
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as error:
            raise MetricConfigError(f"not a Config in text format: {error}") from error
        return _from_message(message)


def _from_message(message: Any) -> MetricConfig:
    """The dataclass of a `Config` message."""
    if message.matcher_type != 1:
        raise MetricConfigError("matcher_type must be TYPE_HUNGARIAN, the challenge's; others aren't computed")
    if message.box_type not in (1, 2):
        raise MetricConfigError("box_type must be TYPE_3D or TYPE_2D")
    if len(message.difficulties) != len(message.breakdown_generator_ids):
        kinds, difficulties = len(message.breakdown_generator_ids), len(message.difficulties)
        raise MetricConfigError(f"{kinds} breakdown_generator_ids but {difficulties} difficulties")
    return MetricConfig(
        breakdowns=tuple(map(_breakdown, message.breakdown_generator_ids, message.difficulties)),
        iou_thresholds=tuple(message.iou_thresholds),
        score_cutoffs=tuple(message.score_cutoffs),
        num_desired_score_cutoffs=message.num_desired_score_cutoffs,
        let=_tolerance(message.let_metric_config) if message.let_metric_config.enabled else None,
        planar=message.box_type == 2,
        recall_delta=message.desired_recall_delta,
        min_precision=message.min_precision,
        min_heading_accuracy=message.min_heading_accuracy,
    )


def _breakdown(generator: int, difficulty: Any) -> BreakdownLevels:
    if generator not in list(Breakdown):
        known = ", ".join(kind.name for kind in Breakdown)
        raise MetricConfigError(f"breakdown generator {generator} isn't computed; known are {known}")
    return BreakdownLevels(Breakdown(generator), tuple(difficulty.levels) or (2,))


def _tolerance(message: Any) -> LetConfig:
    if message.align_type not in list(Alignment):
        raise MetricConfigError(f"align_type {message.align_type} is none of 1 to 6")
    location = message.sensor_location
    return LetConfig(
        sensor_location=(location.x, location.y, location.z),
        tolerance=message.longitudinal_tolerance_percentage,
        min_tolerance=message.min_longitudinal_tolerance_meter,
        alignment=Alignment(message.align_type),
    )


def estimate_cutoffs(scores: np.ndarray, number: int) -> np.ndarray:
    """Score cut-offs that split all predictions into buckets of one size, or an even grid where those are few.

    Args:
        scores: (P,), of all predictions of all frames.
        number: How many are wanted; one gives the cut-off 0.

    Returns:
        (C,) float32; the first is the lowest score and the last is 1, unless there is one only.
    """
    scores = np.sort(np.asarray(scores, dtype=np.float32))
    if number == 1:
        return np.zeros(1, dtype=np.float32)
    if number >= len(scores):
        return _even_grid(np.float32(1) / np.float32(number - 1))
    starts, taken = [0], 0
    for left in range(number - 1, 1, -1):
        taken += (len(scores) - taken) // left
        starts.append(taken)
    inner = np.clip(scores[starts[1:]], 0, 1)
    return np.concatenate([scores[:1], inner, np.ones(1, dtype=np.float32)])


def _even_grid(step: np.float32) -> np.ndarray:
    values = [np.float32(0)]
    while values[-1] + step < 1:
        values.append(values[-1] + step)
    if 1 - values[-1] > step / 2:
        values.append(np.float32(1))
    return np.array(values, dtype=np.float32)
