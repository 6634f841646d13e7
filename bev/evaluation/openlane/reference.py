"""The OpenLane-V2 score written down pair by pair and vertex by vertex, as the official evaluation computes it.

It is what `bev.evaluation.openlane_ols` must equal, and what `tools/benchmark.py openlane-metric` times it against.
Inputs are the devkit's dictionaries with arrays, bare annotations and predictions by token; they are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.interpolate import interp1d
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.evaluation.openlane.distances import APART
from bev.evaluation.openlane.f_score import NEAR, RATIO, SAMPLES
from bev.evaluation.openlane.rules import EDGE_CONFIDENCE, ELEMENT_THRESHOLDS, LANE_THRESHOLDS, rules_of

EPSILON = np.finfo(np.float32).eps
LEVELS = np.arange(0, 1 + 1e-3, 0.1).astype(np.float32)


def evaluate_plainly(
    truths: Mapping[Any, Mapping], predictions: Mapping[Any, Mapping], version: str
) -> dict[str, float]:
    """`OLS`, `DET_l`, `DET_t`, `TOP_ll`, `TOP_lt` and `F_score` of all frames."""
    rules = rules_of(version)
    lanes, boxes = {}, {}
    rough = partial(chamfer, opens_loops=rules.opens_loops)
    for token, truth in truths.items():
        true_lanes, found_lanes = (points_of(frame["lane_centerline"]) for frame in (truth, predictions[token]))
        near = distance_matrix(true_lanes, found_lanes, rough) < LANE_THRESHOLDS[-1]
        lanes[token] = distance_matrix(true_lanes, found_lanes, frechet, near)
        true_boxes, found_boxes = (points_of(frame["traffic_element"]) for frame in (truth, predictions[token]))
        boxes[token] = distance_matrix(true_boxes, found_boxes, one_minus_iou, relaxed=False)
    det_l = np.mean([precision(truths, predictions, lanes, "lane_centerline", limit) for limit in LANE_THRESHOLDS])
    det_t = np.mean(
        [
            precision(truths, predictions, boxes, "traffic_element", ELEMENT_THRESHOLDS[0], attribute)
            for attribute in range(len(ATTRIBUTES))
        ]
    )
    top_ll = topology(truths, predictions, lanes, None, version)
    top_lt = topology(truths, predictions, lanes, boxes, version)
    f_score = lane_f_score(truths, predictions)
    ols = np.mean([det_l, det_t, np.sqrt(top_ll), np.sqrt(top_lt)])
    scores = {"OLS": ols, "DET_l": det_l, "DET_t": det_t, "TOP_ll": top_ll, "TOP_lt": top_lt, "F_score": f_score}
    return {name: float(score) for name, score in scores.items()}


def points_of(instances: Sequence[Mapping]) -> list[np.ndarray]:
    """Points of each instance: (P, 3) metres, or the corners (2, 2) of a box in pixels."""
    return [instance["points"] for instance in instances]


def distance_matrix(
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    distance: Callable[[np.ndarray, np.ndarray], float],
    compared: np.ndarray | None = None,
    relaxed: bool = True,
) -> np.ndarray:
    """Distances (truths, predictions) of all compared pairs, less where the true curve is far from the vehicle."""
    matrix = np.full((len(truths), len(predictions)), APART)
    for i, truth in enumerate(truths):
        factor = max(0.5, 1 - 5e-3 * min(float(np.linalg.norm(point)) for point in truth)) if relaxed else 1.0
        for j, prediction in enumerate(predictions):
            if compared is None or compared[i, j]:
                matrix[i, j] = distance(truth, prediction) * factor
    return matrix


def chamfer(truth: np.ndarray, prediction: np.ndarray, opens_loops: bool) -> float:
    """Mean of both directions' mean distance between curves (P, 3) and (Q, 3), to the nearest point each; metres."""
    if opens_loops and (truth[0] == truth[-1]).all():
        truth = truth[:-1]
    between = cdist(prediction, truth)
    return (between.min(axis=1).mean() + between.min(axis=0).mean()) / 2


def frechet(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Discrete Frechet distance of curves (P, 3) and (Q, 3) by dynamic programming, metres."""
    between = cdist(prediction, truth, metric="minkowski", p=2)
    leash = np.zeros_like(between)
    leash[:, 0] = np.maximum.accumulate(between[:, 0])
    leash[0] = np.maximum.accumulate(between[0])
    for i in range(1, len(prediction)):
        for j in range(1, len(truth)):
            leash[i, j] = max(min(leash[i - 1, j], leash[i, j - 1], leash[i - 1, j - 1]), between[i, j])
    return leash[-1, -1]


def one_minus_iou(truth: np.ndarray, prediction: np.ndarray) -> float:
    """1 - IoU of two boxes, corners (2, 2): left, top, then right, bottom."""
    width = min(prediction[1][0], truth[1][0]) - max(prediction[0][0], truth[0][0])
    height = min(prediction[1][1], truth[1][1]) - max(prediction[0][1], truth[0][1])
    overlap = max(width, 0) * max(height, 0)
    areas = [(box[1][0] - box[0][0]) * (box[1][1] - box[0][1]) for box in (prediction, truth)]
    return 1 - overlap / (areas[0] + areas[1] - overlap)


def matches(distances: np.ndarray, confidence: np.ndarray, threshold: float) -> dict[int, int]:
    """Prediction by the true instance that it found, from distances (T, P) and confidences (P,)."""
    found: dict[int, int] = {}
    if distances.size:
        nearest, least = distances.argmin(axis=0), distances.min(axis=0)
        for prediction in np.argsort(-confidence, kind="stable"):
            if least[prediction] < threshold:
                found.setdefault(int(nearest[prediction]), int(prediction))
    return found


def confidences_of(instances: Sequence[Mapping]) -> np.ndarray:
    """Confidence (N,) of each instance."""
    return np.array([instance["confidence"] for instance in instances], dtype=np.float64)


def precision(
    truths: Mapping, predictions: Mapping, distances: Mapping, kind: str, threshold: float, attribute: int | None = None
) -> np.float32:
    """Average precision of one kind of instance, of one attribute if given."""
    hits, confidences, total = [], [], 0
    for token, truth in truths.items():
        rows = [i for i, one in enumerate(truth[kind]) if attribute in (None, one.get("attribute"))]
        columns = [i for i, one in enumerate(predictions[token][kind]) if attribute in (None, one.get("attribute"))]
        confidence = confidences_of([predictions[token][kind][i] for i in columns])
        hit = np.zeros(len(columns), dtype=np.float32)
        hit[list(matches(distances[token][np.ix_(rows, columns)], confidence, threshold).values())] = 1
        hits.append(hit)
        confidences.append(confidence)
        total += len(rows)
    ranked = np.concatenate(hits)[np.argsort(-np.concatenate(confidences), kind="stable")]
    if len(ranked) == total == 0:
        return np.float32(1)
    right, wrong = np.cumsum(ranked), np.cumsum(1 - ranked)
    recalls, precisions = right / np.float32(total or EPSILON), right / np.maximum(right + wrong, EPSILON)
    levels = [precisions[recalls >= level].max(initial=0) for level in LEVELS]
    return np.cumsum(levels, dtype=np.float32)[-1] / np.float32(len(LEVELS))


def topology(truths: Mapping, predictions: Mapping, lanes: Mapping, boxes: Mapping | None, version: str) -> float:
    """Mean score of all vertices, for edges between lanes or, given distances of boxes, lanes and traffic elements."""
    rules = rules_of(version)
    kinds = ["lane_centerline", "lane_centerline" if boxes is None else "traffic_element"]
    distances = [lanes, lanes if boxes is None else boxes]
    key = "topology_lclc" if boxes is None else "topology_lcte"
    scores: list[float] = []
    for threshold in LANE_THRESHOLDS:
        limits = [threshold, threshold if boxes is None else ELEMENT_THRESHOLDS[0]]
        for level in range(10 if rules.recall_levels else 1):
            for token, truth in truths.items():
                if 0 in truth[key].shape:
                    continue
                sides = []
                for kind, matrices, limit in zip(kinds, distances, limits, strict=True):
                    confidence = confidences_of(predictions[token][kind])
                    found = matches(matrices[token], confidence, limit)
                    if rules.recall_levels and len(confidence):
                        least = recall_level(confidence, found, level)
                        found = {i: j for i, j in found.items() if confidence[j] >= least}
                    sides.append(found)
                scores += vertex_scores(truth[key], predictions[token][key], sides, rules.unmatched_edge)
    return float(np.mean(scores)) if scores else 0.0


def recall_level(confidence: np.ndarray, found: Mapping[int, int], level: int) -> float:
    """The confidence that version 1.0 takes for a quantile of the recall, from those of all predictions (N,)."""
    hit = np.zeros(len(confidence))
    hit[list(found.values())] = 1
    recalls = np.cumsum(hit[np.argsort(-confidence, kind="stable")])
    position = len(recalls) * ((level + 1) * 10 / 100) - 1.5
    below = int(np.floor(position))
    quantile = max(below if position == below and below % 2 == 0 else below + 1, 0)
    return confidence[{recall: i for i, recall in enumerate(recalls)}[recalls[quantile]]]


def vertex_scores(truth: np.ndarray, edges: np.ndarray, sides: Sequence[Mapping], unmatched: float) -> list[float]:
    """Score of each row and each column of true relations (M, N), from predicted ones (P, Q) and matches of both."""
    full = np.full(truth.shape, np.nan)
    rows, columns = (np.array(list(side.items()), dtype=np.int64).reshape(-1, 2) for side in sides)
    full[np.ix_(rows[:, 0], columns[:, 0])] = edges[np.ix_(rows[:, 1], columns[:, 1])]
    full = np.where(np.isnan(full), (1 - truth) * unmatched, full)
    scores = []
    for expected, confidence in [*zip(truth, full, strict=True), *zip(truth.T, full.T, strict=True)]:
        neighbours = set(np.flatnonzero(expected).tolist())
        predicted = np.flatnonzero(confidence > EDGE_CONFIDENCE)
        if not neighbours or not len(predicted):
            scores.append(float(len(neighbours) == len(predicted)))
            continue
        ranked = predicted[np.argsort(-confidence[predicted], kind="stable")]
        right = np.array([vertex in neighbours for vertex in ranked], dtype=np.float32)
        scores.append(float(np.cumsum(right) / np.arange(1, len(right) + 1) @ right) / len(neighbours))
    return scores


def lane_f_score(truths: Mapping, predictions: Mapping) -> float:
    """F-score of all frames' centrelines."""
    found = right = true_count = count = 0
    for token, truth in truths.items():
        true_lanes, lanes = (
            [sampled(points) for points in points_of(frame["lane_centerline"]) if spans(points)]
            for frame in (truth, predictions[token])
        )
        true_lanes, lanes = ([lane for lane in side if lane[2].sum() > 1] for side in (true_lanes, lanes))
        true_count, count = true_count + len(true_lanes), count + len(lanes)
        costs, near = np.zeros((2, len(true_lanes), len(lanes)), dtype=np.int64)
        for i, (y, z, reach) in enumerate(true_lanes):
            for j, (other_y, other_z, other_reach) in enumerate(lanes):
                distance = np.sqrt((y - other_y) ** 2 + (z - other_z) ** 2)
                distance[~reach & ~other_reach] = 0
                distance[reach != other_reach] = NEAR
                near[i, j] = np.sum(distance < NEAR) - np.sum(~reach & ~other_reach)
                cost = np.sum(distance)
                costs[i, j] = 1 if 0 < cost < 1 else int(cost)
        for i, j in zip(*linear_sum_assignment(costs), strict=True):
            if costs[i, j] < NEAR * len(SAMPLES):
                found += near[i, j] / true_lanes[i][2].sum() >= RATIO
                right += near[i, j] / lanes[j][2].sum() >= RATIO
    recall, rate = found / max(true_count, 1), right / max(count, 1)
    return 2 * recall * rate / (recall + rate) if recall + rate else 0.0


def spans(points: np.ndarray) -> bool:
    """Whether a curve (P, 3) has a line in front of the last sample and behind the first."""
    return len(points) > 1 and points[0, 0] < SAMPLES[-1] and points[-1, 0] > SAMPLES[0]


def sampled(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y and z at the samples (S,), and which of them a curve (P, 3) reaches."""
    x = points[:, 0]
    y, z = (interp1d(x, points[:, axis], fill_value="extrapolate")(SAMPLES) for axis in (1, 2))
    return y, z, (x.min() <= SAMPLES) & (x.max() >= SAMPLES)
