"""True and false positives and misses of one frame, in every shard at every score cut-off, compiled.

Matching is redone at every cut-off, as the official program does: a prediction that drops out frees its ground truth.

Shapes: S shards, C cut-offs, P predictions, G ground truths.
"""

from __future__ import annotations

import numpy as np

from bev.evaluation.waymo_let.config import MetricConfig
from bev.evaluation.waymo_let.frames import FrameObjects
from bev.evaluation.waymo_let.matching import match_pairs
from bev.evaluation.waymo_let.pairs import Pairs, compare
from bev.evaluation.waymo_let.shards import members, owners
from bev.geometry.compiled import jit

FALSE_POSITIVE, TRUE_POSITIVE, MISSED_LEVEL_1, MISSED_LEVEL_2, HEADING, AFFINITY = range(6)
NUM_COUNTS = 6
"""Counts of a shard at a cut-off: see the names above. Misses are of levels up to 1 and up to 2."""

OTHERS_OVERLAP = 0.01
"""A prediction that overlaps so much with a ground truth that counts elsewhere is no false positive here."""


@jit
def _belongs_elsewhere(iou, owned):
    """Whether the best overlapping ground truth counts in another shard; the last one among equals."""
    best, index = OTHERS_OVERLAP, -1
    for j in range(len(iou)):
        if iou[j] >= best:
            best, index = iou[j], j
    return index >= 0 and not owned[index]


@jit
def _count(match, pairs, zone, levels, owned, min_heading, counts):
    """Counts of one matching, added to `counts` (6,)."""
    matched = np.zeros(len(levels), dtype=np.bool_)
    for i in range(len(match)):
        j = match[i]
        if j >= 0:
            matched[j] = True
            if owned[j] and pairs.heading[i, j] > min_heading:
                counts[TRUE_POSITIVE] += 1
                counts[HEADING] += pairs.heading[i, j]
                counts[AFFINITY] += pairs.affinity[i, j]
        elif not zone[i] and not _belongs_elsewhere(pairs.iou[i], owned):
            counts[FALSE_POSITIVE] += 1
    for j in range(len(levels)):
        if owned[j] and not matched[j]:
            counts[MISSED_LEVEL_2] += 1
            counts[MISSED_LEVEL_1] += levels[j] <= 1


@jit
def _count_shard(found, truth, owned, scores, zone, levels, pairs, cutoffs, min_heading, totals):
    """Counts of one shard at every cut-off, added to `totals` (C, 6)."""
    iou, affinity, heading = pairs.iou[found][:, truth], pairs.affinity[found][:, truth], pairs.heading[found][:, truth]
    allowed, weight = pairs.allowed[found][:, truth], pairs.weight[found][:, truth]
    counts, previous = np.zeros(NUM_COUNTS), -1
    for c in range(len(cutoffs)):
        kept = np.flatnonzero(scores[found] >= cutoffs[c])
        if len(kept) != previous:
            counts[:] = 0.0
            match = match_pairs(allowed[kept], weight[kept])
            those = Pairs(iou[kept], affinity[kept], heading[kept], allowed[kept], weight[kept])
            _count(match, those, zone[found][kept], levels[truth], owned[truth], min_heading, counts)
            previous = len(kept)
        totals[c] += counts


@jit
def _count_shards(found, truth, owned, scores, zone, levels, pairs, cutoffs, min_heading, totals):
    """The same for every shard; `found` (S, P), `truth` and `owned` (S, G) are masks, `totals` is (S, C, 6)."""
    for s in range(len(totals)):
        predictions, labels = np.flatnonzero(found[s]), np.flatnonzero(truth[s])
        if len(predictions) or len(labels):
            _count_shard(
                predictions, labels, owned[s], scores, zone, levels, pairs, cutoffs, min_heading, totals[s]
            )


def count_frame(frame: FrameObjects, config: MetricConfig, cutoffs: np.ndarray, totals: np.ndarray) -> None:
    """Adds what one frame counts.

    Args:
        frame: Its objects.
        config: Of the metrics.
        cutoffs: (C,) float32 scores; equal ones are kept.
        totals: (S, C, 6) float64, shards of all breakdowns one after the other.
    """
    found = members(config, frame.boxes, frame.types)
    truth = members(config, frame.truth_boxes, frame.truth_types)
    owned = owners(config, truth, frame.truth_types, frame.truth_cameras)
    pairs = compare(frame, config)
    min_heading = np.float32(config.min_heading_accuracy)
    _count_shards(
        found,
        truth,
        owned,
        frame.scores,
        frame.in_no_label_zone,
        frame.truth_levels,
        pairs,
        cutoffs,
        min_heading,
        totals,
    )
