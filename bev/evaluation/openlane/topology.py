"""How well edges between matched vertices are predicted.

A vertex has the predicted edges above a confidence, best first; its score is the sum of the precisions at its true
edges, by the number of edges that it ought to have. Vertices that no prediction matches get every wrong edge and no
right one. The score of a frame is the mean over rows and columns of the adjacency matrix.

Shapes: G, H true vertices of the two sides; P, Q predicted ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bev.evaluation.openlane.frames import FrameReader
from bev.evaluation.openlane.rules import EDGE_CONFIDENCE, Rules
from bev.geometry.compiled import jit

RECALL_QUANTILES = np.arange(10, 101, 10) / 100


@dataclass(frozen=True)
class Vertices:
    """Predicted vertices of one side of a frame, matched at one threshold.

    Attributes:
        found: (P,) int64 true vertex of each, or -1; see `detection.match`.
        confidence: (P,).
        truths: G, the number of true vertices.
    """

    found: np.ndarray
    confidence: np.ndarray
    truths: int

    def predictions(self, least: float | None) -> np.ndarray:
        """Prediction that found each true vertex (G,) int64, or -1; those of less confidence don't count."""
        used = self.found >= 0
        if least is not None:
            used &= self.confidence >= least
        predictions = np.full(self.truths, -1, dtype=np.int64)
        predictions[self.found[used]] = np.flatnonzero(used)
        return predictions


class TopologyScore(NamedTuple):
    """Scores of vertices, which are averaged in the end.

    Attributes:
        total: Their sum.
        vertices: How many they are.
    """

    total: float
    vertices: int


def mean_score(scores: Iterable[TopologyScore]) -> float:
    """Mean over all vertices of all frames; 0 without any, where version 1.0 of the official code fails."""
    total, count = 0.0, 0
    for score in scores:
        total, count = total + score.total, count + score.vertices
    return total / count if count else 0.0


def recall_confidences(vertices: Vertices) -> list[float | None]:
    """Least confidences of the ten sets of vertices that version 1.0 evaluates; None where nothing is predicted.

    Taken at the positions in the ranking where the recall last has its 10, 20 ... 100 % quantiles; but version 1.0
    looks the confidences up in the order of the predictions instead of in that of the ranking. Quantiles are the
    closest observations as NumPy 1 defines them: half-way cases go to the even position, counted from 0. NumPy 2 counts
    from 1, and would give other scores.
    """
    if not len(vertices.found):
        return [None] * len(RECALL_QUANTILES)
    order = np.argsort(-vertices.confidence, kind="stable")
    hits = np.cumsum(vertices.found[order] >= 0)
    position = len(hits) * RECALL_QUANTILES - 1 - 0.5
    below = np.floor(position)
    halfway_to_even = (position == below) & (below % 2 == 0)
    quantiles = np.maximum(np.where(halfway_to_even, below, below + 1).astype(np.int64), 0)
    last = np.searchsorted(hits, hits[quantiles], side="right") - 1
    return vertices.confidence[last].tolist()


def judge_topology(
    truth: FrameReader,
    predicted: FrameReader,
    key: str,
    rows: Sequence[Vertices],
    columns: Vertices | None,
    rules: Rules,
) -> TopologyScore:
    """`topology_score` of the adjacency matrices that a frame has under `key`.

    Raises:
        OpenLaneFormatError: A matrix is missing or does not fit the numbers of vertices.
    """
    targets = rows[0] if columns is None else columns
    true_edges = truth.adjacency(key, rows[0].truths, targets.truths)
    edges = predicted.adjacency(key, len(rows[0].found), len(targets.found))
    return topology_score(true_edges, edges, rows, columns, rules)


def topology_score(
    truth: np.ndarray, predicted: np.ndarray, rows: Sequence[Vertices], columns: Vertices | None, rules: Rules
) -> TopologyScore:
    """Scores of all vertices of a frame, over thresholds and the sets of vertices that the rules ask for.

    Args:
        truth: (G, H) adjacency, 0 or 1.
        predicted: (P, Q) confidences; NaN is treated as an edge of an unmatched vertex.
        rows: The G and P vertices, matched at each threshold.
        columns: The H and Q vertices; None where these are the rows again, scored by what leaves and by what enters.
        rules: Version of the metric.
    """
    total, count = 0.0, 0
    if truth.size:
        is_edge = truth.astype(np.bool_)
        for sources in rows:
            targets = sources if columns is None else columns
            for (source_least, target_least), times in _levels(sources, targets, rules).items():
                matched = sources.predictions(source_least), targets.predictions(target_least)
                edges = _edges(truth, predicted, *matched, rules.unmatched_edge)
                total += times * _score_sum(is_edge, edges, EDGE_CONFIDENCE)
                count += times * sum(truth.shape)
    return TopologyScore(total, count)


def _levels(rows: Vertices, columns: Vertices, rules: Rules) -> dict[tuple[float | None, float | None], int]:
    """Pairs of least confidences, and how often each comes."""
    if not rules.recall_levels:
        return {(None, None): 1}
    return Counter(zip(recall_confidences(rows), recall_confidences(columns), strict=True))


def _edges(
    truth: np.ndarray, predicted: np.ndarray, rows: np.ndarray, columns: np.ndarray, unmatched: float
) -> np.ndarray:
    """Confidences (G, H) of edges between true vertices, given the predictions of rows (G,) and columns (H,)."""
    missed = (1 - truth) * unmatched
    if not predicted.size:
        return missed
    edges = predicted[np.ix_(rows, columns)]
    matched = (rows >= 0)[:, None] & (columns >= 0)[None] & ~np.isnan(edges)
    return np.where(matched, edges, missed)


@jit
def _vertex_score(truth: np.ndarray, edges: np.ndarray, least: float) -> float:
    """Score of a vertex with true edges (H,) bool and confidences (H,)."""
    expected, predicted, total = 0, 0, 0.0
    for j in range(len(truth)):
        expected += truth[j]
        predicted += edges[j] > least
        if not (truth[j] and edges[j] > least):
            continue
        rank, right = 0, 0
        for k in range(len(truth)):
            if edges[k] > edges[j] or (edges[k] == edges[j] and k <= j):
                rank += 1
                right += truth[k]
        total += right / rank
    if expected == 0:
        return 1.0 if predicted == 0 else 0.0
    return total / expected


@jit
def _score_sum(truth: np.ndarray, edges: np.ndarray, least: float) -> float:
    total = 0.0
    for i in range(truth.shape[0]):
        total += _vertex_score(truth[i], edges[i], least)
    for j in range(truth.shape[1]):
        total += _vertex_score(truth[:, j], edges[:, j], least)
    return total
