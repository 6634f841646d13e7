"""The compiled matching: optimal, and among equals the official program's choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from bev.evaluation.waymo_let.matching import assign, match_pairs


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([3, 1_000_000]))
def test_total_weight_is_the_greatest(seed: int, size: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, largest, (size, size)) * (rng.uniform(size=(size, size)) < 0.5)
    columns = assign(weight)
    assert sorted(columns) == list(range(size))
    best = weight[linear_sum_assignment(weight, maximize=True)].sum()
    assert weight[np.arange(size), columns].sum() == best


def test_among_equals_the_first_row_keeps_the_first_column() -> None:
    np.testing.assert_array_equal(assign(np.full((3, 3), 5)), [0, 1, 2])


def test_a_later_row_displaces_an_earlier_one_if_the_sum_grows() -> None:
    np.testing.assert_array_equal(assign(np.array([[5, 4], [5, 0]])), [1, 0])


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6))
def test_pairs_that_may_not_match_stay_alone(seed: int, found: int, truth: int) -> None:
    rng = np.random.default_rng(seed)
    allowed = rng.uniform(size=(found, truth)) < 0.3
    weight = rng.integers(1, 1000, (found, truth)) * allowed
    match = match_pairs(allowed, weight)
    chosen = match[match >= 0]
    assert len(np.unique(chosen)) == len(chosen)
    assert allowed[np.flatnonzero(match >= 0), chosen].all()
    best = weight[linear_sum_assignment(weight, maximize=True)].sum()
    assert weight[np.flatnonzero(match >= 0), chosen].sum() == best


@pytest.mark.parametrize("weights", [(7, 0), (7, 3)])
def test_a_lone_prediction_takes_the_better_ground_truth(weights: tuple[int, int]) -> None:
    weight = np.array([weights])
    np.testing.assert_array_equal(match_pairs(weight > 0, weight), [0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 7), st.sampled_from([2, 4, 1_000_000]))
def test_matching_by_parts_is_that_of_the_whole(seed: int, found: int, truth: int, largest: int) -> None:
    """With few different weights there are many equals, and the choice among them must be the whole matrix's."""
    rng = np.random.default_rng(seed)
    allowed = rng.uniform(size=(found, truth)) < 0.35
    weight = rng.integers(0, largest, (found, truth)) * allowed
    size = max(found, truth)
    square = np.zeros((size, size), dtype=np.int64)
    square[:found, :truth] = weight
    chosen = assign(square)[:found]
    whole = [j if j < truth and allowed[i, j] else -1 for i, j in enumerate(chosen)]
    np.testing.assert_array_equal(match_pairs(allowed, weight), whole)
