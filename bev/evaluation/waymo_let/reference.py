"""The metrics' counts in a plain formulation: shapely for overlaps, SciPy for assignments, loops over everything else.

It shares no compiled code with the fast one. Where several assignments weigh the same, it may end with another one.

Shapes: S shards, C cut-offs, P predictions, G ground truths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from scipy.optimize import linear_sum_assignment

from bev.evaluation.waymo_let.config import MetricConfig
from bev.evaluation.waymo_let.counting import NUM_COUNTS, OTHERS_OVERLAP
from bev.evaluation.waymo_let.frames import FrameObjects
from bev.evaluation.waymo_let.pairs import WEIGHT_SCALE, aligned_centres, heading_accuracy, longitudinal_affinity
from bev.evaluation.waymo_let.shards import members, owners


def reference_counts(frames: Sequence[FrameObjects], config: MetricConfig) -> np.ndarray:
    """(S, C, 6) float64 as `Accumulator.totals`, for a config with score cut-offs and 3D boxes."""
    cutoffs = np.array(config.score_cutoffs, dtype=np.float32)
    totals: np.ndarray = np.zeros((0, len(cutoffs), NUM_COUNTS))
    for frame in frames:
        found = members(config, frame.boxes, frame.types)
        truth = members(config, frame.truth_boxes, frame.truth_types)
        owned = owners(config, truth, frame.truth_types, frame.truth_cameras)
        iou, affinity = _similarities(frame, config)
        if not len(totals):
            totals = np.zeros((len(found), *totals.shape[1:]))
        for s in range(len(found)):
            columns = np.flatnonzero(truth[s])
            for c, cutoff in enumerate(cutoffs):
                rows = np.flatnonzero(found[s] & (frame.scores >= cutoff))
                totals[s, c] += _counts(frame, config, rows, columns, owned[s], iou, affinity)
    return totals


def _similarities(frame: FrameObjects, config: MetricConfig) -> tuple[np.ndarray, np.ndarray]:
    """(P, G) float32 IoU and affinity."""
    boxes, truth = frame.boxes, frame.truth_boxes
    same = frame.types[:, None] == frame.truth_types
    if config.let is None:
        centres, affinity = np.repeat(boxes[:, None, :3], len(truth), axis=1), np.ones(same.shape, dtype=np.float32)
    else:
        centres, affinity = aligned_centres(boxes, truth, config.let), longitudinal_affinity(boxes, truth, config.let)
    sizes = [side[..., 3:6].prod(axis=-1) for side in (boxes[:, None], truth)]
    moved = np.concatenate([centres, np.repeat(boxes[:, None, 3:], len(truth), axis=1)], axis=-1)
    ground = shapely.area(shapely.intersection(_polygons(moved), _polygons(truth)))
    top = np.minimum(*(side[..., 2] + side[..., 5] / 2 for side in (moved, truth)))
    bottom = np.maximum(*(side[..., 2] - side[..., 5] / 2 for side in (moved, truth)))
    shared = ground * np.maximum(top - bottom, 0)
    iou = np.where(same, shared / (sizes[0] + sizes[1] - shared), 0).astype(np.float32)
    return iou, np.where(same, affinity, np.float32(0))


def _polygons(boxes: np.ndarray) -> np.ndarray:
    """(...) shapely rectangles of (..., 7) boxes."""
    corners = boxes[..., None, 3:5] / 2 * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    cosine, sine = np.cos(boxes[..., 6:7]), np.sin(boxes[..., 6:7])
    x = boxes[..., 0:1] + corners[..., 0] * cosine - corners[..., 1] * sine
    y = boxes[..., 1:2] + corners[..., 0] * sine + corners[..., 1] * cosine
    return shapely.polygons(np.stack([x, y], axis=-1))


def _counts(
    frame: FrameObjects,
    config: MetricConfig,
    rows: np.ndarray,
    columns: np.ndarray,
    owned: np.ndarray,
    iou: np.ndarray,
    affinity: np.ndarray,
) -> list[float]:
    """Counts of one shard at one cut-off, in the order of `Accumulator.totals`."""
    overlap, near = iou[np.ix_(rows, columns)], affinity[np.ix_(rows, columns)]
    thresholds = np.array(config.iou_thresholds, dtype=np.float32)[frame.types[rows], None]
    allowed = (overlap >= thresholds) & (near > 0)
    weight = np.where(allowed, np.floor((overlap * near * WEIGHT_SCALE).astype(np.float64) + 0.5), 0)
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(weight, maximize=True), strict=True) if allowed[i, j]]
    right = [(rows[i], columns[j]) for i, j in pairs if owned[columns[j]]]
    matched = {rows[i] for i, _ in pairs}
    wrong = sum(
        not frame.in_no_label_zone[i] and not _elsewhere(iou[i, columns], owned[columns])
        for i in rows
        if i not in matched
    )
    missed = [frame.truth_levels[j] for j in set(columns) - {columns[j] for _, j in pairs} if owned[j]]
    headings = [heading_accuracy(frame.boxes[i, 6], frame.truth_boxes[j, 6]) for i, j in right]
    level_1 = sum(level <= 1 for level in missed)
    return [wrong, len(right), level_1, len(missed), sum(headings), sum(affinity[i, j] for i, j in right)]


def _elsewhere(iou: np.ndarray, owned: np.ndarray) -> bool:
    """Whether the best overlapping ground truth counts in another shard."""
    if not len(iou) or iou.max() < OTHERS_OVERLAP:
        return False
    return not owned[np.flatnonzero(iou == iou.max())[-1]]
