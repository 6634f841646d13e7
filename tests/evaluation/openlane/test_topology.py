"""Scores of edges by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bev.evaluation.openlane.rules import VERSIONS
from bev.evaluation.openlane.topology import Vertices, mean_score, recall_confidences, topology_score

NEW, OLD = VERSIONS["v1.1"], VERSIONS["v1.0"]


def vertices(*found: int, truths: int | None = None) -> Vertices:
    confidence = 0.9 - 0.1 * np.arange(len(found))
    return Vertices(np.array(found, dtype=np.int64), confidence, len(found) if truths is None else truths)


def test_precision_at_the_true_edges() -> None:
    truth = np.array([[1, 0, 1, 0]])
    predicted = np.array([[0.9, 0.8, 0.7, 0.5]])
    total, count = topology_score(truth, predicted, [vertices(0)], vertices(0, 1, 2, 3), NEW)
    # The row's true edges rank first and third; columns are right but for the second; 0.5 is no edge.
    assert total == pytest.approx((1 + 2 / 3) / 2 + 1 + 0 + 1 + 1)
    assert count == 5


def test_directed_edges_count_where_they_leave_and_where_they_enter() -> None:
    truth = np.array([[0, 1], [0, 0]])
    predicted = np.array([[0.1, 0.8], [0.9, 0.1]])
    score = topology_score(truth, predicted, [vertices(0, 1)], None, NEW)
    assert mean_score([score]) == pytest.approx(0.5)


def test_predictions_in_another_order() -> None:
    truth = np.array([[0, 1], [0, 0]])
    predicted = np.array([[0.0, 0.0], [0.9, 0.0]])
    assert topology_score(truth, predicted, [vertices(1, 0)], None, NEW) == (4.0, 4)


@pytest.mark.parametrize("rules", [NEW, OLD])
def test_unmatched_vertices_get_every_wrong_edge(rules: object) -> None:
    truth = np.array([[1, 0], [0, 0]])
    score = topology_score(truth, np.zeros((2, 1)), [vertices(-1, -1, truths=2)], vertices(-1, truths=2), rules)
    assert score.total == 0
    # With every edge true there is no wrong one, and none is predicted.
    full = topology_score(np.ones((1, 1)), np.zeros((0, 0)), [vertices(truths=1)], vertices(truths=1), rules)
    assert full.total == 0


def test_a_nan_edge_is_that_of_an_unmatched_vertex() -> None:
    truth = np.array([[0]])
    predicted = np.array([[np.nan]])
    assert topology_score(truth, predicted, [vertices(0)], vertices(0), NEW).total == 0
    assert topology_score(truth, np.zeros((1, 1)), [vertices(0)], vertices(0), NEW).total == 2


def test_frames_without_vertices_do_not_count() -> None:
    score = topology_score(np.zeros((2, 0)), np.zeros((2, 3)), [vertices(0, 1)], vertices(-1, -1, -1, truths=0), NEW)
    assert score == (0.0, 0)
    assert mean_score([score]) == 0


def test_quantiles_are_those_of_numpy_1() -> None:
    found = Vertices(np.arange(5), np.array([0.9, 0.8, 0.7, 0.6, 0.5]), 5)
    # Positions 5 q - 1.5: those at 0 and 2 stay, 1 and 3 go up to the even neighbour; the others are rounded up.
    assert recall_confidences(found) == [0.9, 0.9, 0.9, 0.8, 0.7, 0.7, 0.7, 0.6, 0.5, 0.5]


def test_confidences_are_looked_up_in_the_order_of_predictions() -> None:
    assert recall_confidences(Vertices(np.array([0, 1]), np.array([0.5, 0.9]), 2)) == [0.5] * 7 + [0.9] * 3


def test_a_recall_is_taken_where_it_is_last_reached() -> None:
    found = Vertices(np.array([0, -1, -1]), np.array([0.9, 0.8, 0.7]), 1)
    assert recall_confidences(found) == [0.7] * 10


def test_the_old_version_judges_ten_sets_of_vertices() -> None:
    truth = np.array([[1, 1]])
    columns = Vertices(np.array([0, 1]), np.array([0.9, 0.5]), 2)
    score = topology_score(truth, np.array([[0.8, 0.8]]), [vertices(0)], columns, OLD)
    # Seven sets hold the first column only: its edge is found, half of the row; three hold both.
    assert score.total == pytest.approx(7 * (0.5 + 1 + 0) + 3 * 3)
    assert score.vertices == 30
