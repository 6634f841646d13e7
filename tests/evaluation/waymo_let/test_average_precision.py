"""Curves and areas by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bev.evaluation.waymo_let.average_precision import average_precision, precision_curves


def area(*points: tuple[float, float]) -> float:
    """Average precision of (precision, recall) points."""
    precision, recall = np.array(points, dtype=np.float32).reshape(-1, 2).T
    return average_precision(precision, recall, 0.05)


def test_one_of_ten_found() -> None:
    assert area((1.0, 0.1)) == pytest.approx(0.1)
    assert area((0.8, 0.1)) == pytest.approx(0.08)


def test_nothing_found_and_no_points() -> None:
    assert area((1.0, 0.0)) == 0.0
    assert area() == 0.0


def test_precision_is_the_highest_at_this_or_a_higher_recall() -> None:
    assert area((0.5, 0.02), (0.9, 0.04)) == pytest.approx(0.9 * 0.04)


def test_a_gap_is_filled_with_the_precision_at_higher_recall() -> None:
    """From recall 0.2 at 0.5 the area has 0.5 down to 0.15; the last 0.1 is a slope to 1.0 at 0.1, then 1.0."""
    assert area((0.5, 0.2), (1.0, 0.1)) == pytest.approx(0.05 * 0.5 + 0.05 * 0.75 + 0.1, abs=1e-6)


def test_curves_from_counts() -> None:
    counts = [np.array(column, dtype=np.float64) for column in ([8, 2, 0], [2, 0, 5], [0, 6, 8], [6, 1, 0], [4, 2, 0])]
    result = precision_curves(*counts)
    np.testing.assert_allclose(result.precision, [0.8, 1, 1])
    np.testing.assert_allclose(result.precision_heading, [0.6, 0.5, 1])
    np.testing.assert_allclose(result.precision_affinity, [0.4, 1, 1])
    np.testing.assert_allclose(result.recall, [1, 0.25, 0])


def test_low_precisions_count_as_none() -> None:
    counts = [np.array([value], dtype=np.float64) for value in (2, 8, 0, 2, 2)]
    assert precision_curves(*counts, min_precision=0.3).precision[0] == 0
    assert precision_curves(*counts, min_precision=0.1).precision[0] == pytest.approx(0.2)
