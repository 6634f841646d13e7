"""What the metrics know of every pair of a prediction and a ground truth of one frame.

float32 stands where the official implementation stores it: it decides ties and what equals a threshold.

Shapes: P predictions, G ground truths.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bev.evaluation.waymo_let.config import Alignment, LetConfig, MetricConfig
from bev.evaluation.waymo_let.frames import FrameObjects
from bev.geometry.boxes import wrap_angle
from bev.geometry.overlap import iou_matrix

TINY = 1e-6
"""Distances and their squares are at least this."""

WEIGHT_SCALE = np.float32(1e6)
"""Matching maximises whole numbers: similarities times this."""


class Pairs(NamedTuple):
    """(P, G) arrays.

    Attributes:
        iou: float32; of the prediction moved along its line of sight where longitudinal errors are tolerated.
        affinity: float32 longitudinal affinity in [0, 1]; 1 for plain metrics.
        heading: float32 heading accuracy in [0, 1].
        allowed: bool, the pair may be matched.
        weight: int64 of the match, 0 where it isn't allowed.
    """

    iou: np.ndarray
    affinity: np.ndarray
    heading: np.ndarray
    allowed: np.ndarray
    weight: np.ndarray


def compare(frame: FrameObjects, config: MetricConfig) -> Pairs:
    """All pairs of a frame."""
    same_type = frame.types[:, None] == frame.truth_types
    boxes, truth = frame.boxes, frame.truth_boxes
    if config.let is None:
        centres = np.repeat(boxes[:, None, :3], len(truth), axis=1)
        affinity = np.ones(same_type.shape, dtype=np.float32)
    else:
        centres = aligned_centres(boxes, truth, config.let)
        affinity = np.where(same_type, longitudinal_affinity(boxes, truth, config.let), np.float32(0))
    iou = iou_matrix(boxes, centres, truth, same_type, config.planar)
    threshold = np.array(config.iou_thresholds, dtype=np.float32)[frame.types]
    allowed = (affinity > 0) & (iou >= threshold[:, None])
    similarity = (iou if config.let is None else iou * affinity) * WEIGHT_SCALE
    weight = np.where(allowed, np.floor(similarity.astype(np.float64) + 0.5), 0).astype(np.int64)
    heading = heading_accuracy(boxes[:, None, 6], truth[:, 6])
    return Pairs(iou, affinity, heading, allowed, weight)


def longitudinal_affinity(boxes: np.ndarray, truth: np.ndarray, let: LetConfig) -> np.ndarray:
    """How well distances from the sensor agree: 1 - |error| / tolerance, where error is along the line to the truth.

    The error is that of the prediction's centre projected on the ray from the sensor through the ground truth, so that
    lateral errors don't enter.

    Args:
        boxes: (P, 7) predictions.
        truth: (G, 7) ground truths.
        let: Tolerances.

    Returns:
        (P, G) float32 in [0, 1].
    """
    found, wanted = (side[:, :3] - np.array(let.sensor_location) for side in (boxes, truth))
    found_range, wanted_range = (np.maximum(np.sqrt(_dot(side, side)), TINY) for side in (found, wanted))
    cosine = _dot(found[:, None], wanted) / wanted_range / found_range[:, None]
    relative = np.float64(np.float32(let.tolerance)) * wanted_range
    tolerance = np.maximum(relative, np.float32(let.min_tolerance)).astype(np.float32)
    error = np.abs(found_range[:, None] * cosine - wanted_range)
    return np.clip(1 - error / tolerance.astype(np.float64), 0, 1).astype(np.float32)


def aligned_centres(boxes: np.ndarray, truth: np.ndarray, let: LetConfig) -> np.ndarray:
    """Where each prediction is moved to before its IoU with each ground truth is taken.

    Args:
        boxes: (P, 7) predictions.
        truth: (G, 7) ground truths.
        let: `alignment` and the sensor's place count.

    Returns:
        (P, G, 3) centres, metres in the vehicle frame.
    """
    sensor = np.array(let.sensor_location)
    found, wanted = boxes[:, None, :3] - sensor, truth[:, :3] - sensor
    if let.alignment is Alignment.CENTER:
        centres = np.repeat(boxes[:, None, :3], len(truth), axis=1)
        centres[..., :2] = truth[:, :2]
        return centres
    scale = _dot(found, wanted) / np.maximum(_dot(found, found), TINY)
    if let.alignment is Alignment.NONE:
        scale = np.ones_like(scale)
    elif let.alignment is Alignment.FURTHER_ONLY:
        scale = np.where((scale >= 0) & (scale < 1), scale, 1.0)
    elif let.alignment is Alignment.ANY_CLOSER_ONLY:
        scale = np.where((scale >= 0) & (scale < 1), 1.0, scale)
    elif let.alignment is Alignment.BETWEEN_ORIGIN_AND_TRUTH:
        scale = np.maximum(scale, 1.0)
    return found * scale[..., None] + sensor


def heading_accuracy(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """1 for equal headings (...), 0 for opposite ones, radians; broadcast, float32."""
    found, wanted = (wrap_angle(angle).astype(np.float32) for angle in (found, wanted))
    difference = np.abs(found - wanted).astype(np.float64)
    shorter = np.where(difference > np.pi, 2 * np.pi - difference, difference).astype(np.float32)
    return np.clip(1 - shorter.astype(np.float64) / np.pi, 0, 1).astype(np.float32)


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # In this order, so that results don't depend on how NumPy sums.
    return first[..., 0] * second[..., 0] + first[..., 1] * second[..., 1] + first[..., 2] * second[..., 2]
