"""F-score of centrelines by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bev.evaluation.openlane.f_score import count_lanes, f_score
from bev.evaluation.openlane.frames import Curves, FrameReader


def lanes(*lines: list[tuple[float, float, float]]) -> Curves:
    return FrameReader({"lane_centerline": [{"points": line} for line in lines]}, "t", False).curves("lane_centerline")


def along(start: float, end: float, y: float = 0.0, z: float = 0.0) -> list[tuple[float, float, float]]:
    return [(start, y, z), ((start + end) / 2, y, z), (end, y, z)]


def test_near_lanes_are_found_and_far_ones_are_not() -> None:
    truth = lanes(along(0, 20), along(0, 20, y=10))
    predicted = lanes(along(0, 20, y=1.0, z=1.0), along(0, 20, y=13.0))
    assert count_lanes(truth, predicted).tolist() == [1, 1, 2, 2]


def test_a_lane_counts_from_three_quarters_on() -> None:
    # Samples are whole metres: 21 of the true lane, 16 of them predicted.
    assert count_lanes(lanes(along(0, 20)), lanes(along(0, 15))).tolist() == [1, 1, 1, 1]
    assert count_lanes(lanes(along(0, 20)), lanes(along(0, 14))).tolist() == [0, 1, 1, 1]


def test_direction_does_not_count_but_height_does() -> None:
    assert count_lanes(lanes(along(0, 20)), lanes(along(0, 20)[::-1])).tolist() == [1, 1, 1, 1]
    assert count_lanes(lanes(along(0, 20)), lanes(along(0, 20, z=1.6))).tolist() == [0, 0, 1, 1]


def test_the_pairing_is_the_cheapest_over_all() -> None:
    truth = lanes(along(0, 20), along(0, 20, y=1.2))
    # Greedy pairing of the first true lane with the nearer prediction would leave the second without a partner.
    predicted = lanes(along(0, 20, y=0.5), along(0, 20, y=-0.9))
    assert count_lanes(truth, predicted).tolist() == [2, 2, 2, 2]


def test_lanes_without_two_samples_do_not_count() -> None:
    across = [(0.3, 0.0, 0.0), (0.6, 20.0, 0.0)]
    outside = along(60, 70)
    single = [(0.0, 0.0, 0.0)]
    nan = [(0.0, 0.0, 0.0), (float("nan"), 0.0, 0.0), (20.0, 0.0, 0.0)]
    assert count_lanes(lanes(along(0, 20)), lanes(across, outside, single, nan)).tolist() == [0, 0, 1, 0]


def test_a_lane_with_nan_beside_x_is_wrong() -> None:
    nan = [(0.0, float("nan"), 0.0), (20.0, 0.0, 0.0)]
    assert count_lanes(lanes(along(0, 20)), lanes(nan)).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("counts", "expected"), [([3, 2, 4, 4], 0.6), ([0, 0, 4, 4], 0), ([0, 0, 0, 0], 0)])
def test_harmonic_mean(counts: list[int], expected: float) -> None:
    assert f_score(np.array(counts)) == pytest.approx(expected)
