"""Fusion of boxes against what one computes by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bev.geometry.fusion import BoxFusion, FusedBoxes


def car(x: float, y: float = 0.0, yaw: float = 0.0, speed: float = 0.0) -> list[float]:
    """A car of 4 x 2 m."""
    return [x, y, 0.8, 4.0, 2.0, 1.6, yaw, speed, 0.0]


def fuse(fusion: BoxFusion, rows: list[tuple[list[float], float, int, int]]) -> FusedBoxes:
    """Of (box, score, label, source)."""
    boxes, scores, labels, sources = zip(*rows, strict=True)
    return fusion(np.array(boxes), np.array(scores), np.array(labels), np.array(sources))


def test_equal_boxes_keep_their_place_and_share_the_score() -> None:
    found = fuse(BoxFusion((3.0, 1.0)), [(car(5), 0.8, 1, 0), (car(5), 0.4, 1, 1)])
    np.testing.assert_array_equal(found.boxes, [car(5)])
    assert found.scores == pytest.approx([(3 * 0.8 + 0.4) / 4])
    assert (found.labels.tolist(), found.leaders.tolist()) == ([1], [0])


def test_overlapping_boxes_meet_where_their_strengths_balance() -> None:
    rows = [(car(0, speed=1.0), 0.8, 0, 0), (car(1, speed=8.0), 0.4, 0, 1)]  # 3 of 5 m shared: IoU 0.6
    found = fuse(BoxFusion((3.0, 1.0), 0.59), rows)
    share = 0.4 / (3 * 0.8 + 0.4)
    np.testing.assert_allclose(found.boxes, [car(share, speed=1 + 7 * share)])
    assert found.scores == pytest.approx([0.7])
    apart = fuse(BoxFusion((3.0, 1.0), 0.61), rows)
    np.testing.assert_array_equal(apart.boxes, [row[0] for row in rows])
    assert apart.scores == pytest.approx([0.6, 0.1])


@pytest.mark.parametrize("other", [(car(50), 0), (car(0), 1)], ids=["elsewhere", "of another class"])
def test_boxes_that_no_other_source_has_are_kept_with_their_share(other: tuple) -> None:
    found = fuse(BoxFusion((1.0, 1.0, 2.0)), [(car(0), 0.8, 0, 0), (other[0], 0.6, other[1], 2)])
    np.testing.assert_array_equal(found.boxes, [other[0], car(0)])
    assert found.scores == pytest.approx([0.6 * 2 / 4, 0.8 / 4])
    assert found.labels.tolist() == [other[1], 0]


def test_a_third_box_joins_the_moving_mean() -> None:
    """1.9 m from the first, it overlaps enough (IoU 2.85 / 5.15) with the mean of the first two alone."""
    rows = [(car(0), 0.9, 0, 0), (car(1.5), 0.9, 0, 1), (car(1.9), 0.9, 0, 2)]
    found = fuse(BoxFusion((1.0, 1.0, 1.0), 0.4), rows)
    assert found.boxes[:, 0] == pytest.approx([(0 + 1.5 + 1.9) / 3])
    assert found.scores == pytest.approx([0.9])


def test_a_source_votes_once_for_a_box() -> None:
    rows = [(car(0), 0.9, 0, 0), (car(0.1), 0.2, 0, 0), (car(0.05), 0.8, 0, 1)]
    found = fuse(BoxFusion((1.0, 1.0)), rows)
    assert found.scores == pytest.approx([0.85, 0.1])
    assert found.boxes[:, 0] == pytest.approx([0.05 * 0.8 / 1.7, 0.1])


@pytest.mark.parametrize(
    ("yaws", "expected"),
    [
        ((0.1, 0.3), 0.1 + 0.2 * 0.3 / 0.9),
        ((math.pi - 0.1, -math.pi + 0.2), math.pi - 0.1 + 0.3 * 0.3 / 0.9),
        ((0.2, 0.2 + math.pi), 0.2),
        ((-0.2, -0.2 - math.pi), -0.2),
    ],
)
def test_headings(yaws: tuple[float, float], expected: float) -> None:
    found = fuse(BoxFusion((2.0, 1.0)), [(car(0, yaw=yaws[0]), 0.3, 0, 0), (car(0, yaw=yaws[1]), 0.3, 0, 1)])
    assert len(found.boxes) == 1
    assert math.cos(found.boxes[0, 6] - expected) == pytest.approx(1.0, abs=1e-12)


def test_the_majority_decides_the_direction() -> None:
    rows = [(car(0, yaw=yaw), score, 0, k) for k, (yaw, score) in enumerate([(0.5, 0.9), (3.6, 0.8), (3.7, 0.8)])]
    found = fuse(BoxFusion((1.0, 1.0, 1.0)), rows)
    assert math.cos(found.boxes[0, 6] - 0.5 - math.pi) > 0.99


@given(seed=st.integers(0, 1000), copies=st.sampled_from([1, 2, 4]), threshold=st.sampled_from([0.0, 0.3, 0.7]))
def test_copies_of_one_source_give_it_back(seed: int, copies: int, threshold: float) -> None:
    """Exactly, though boxes of a class overlap."""
    generator = np.random.default_rng(seed)
    boxes = generator.uniform(-5, 5, (12, 9))
    boxes[:, 3:6] = generator.uniform(0.5, 5, (12, 3))
    scores, labels = -np.sort(-generator.uniform(0, 1, 12)), generator.integers(0, 2, 12)
    found = BoxFusion((0.7,) * copies, threshold)(
        np.tile(boxes, (copies, 1)), np.tile(scores, copies), np.tile(labels, copies), np.repeat(range(copies), 12)
    )
    np.testing.assert_array_equal(found.boxes, boxes)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-15)
    np.testing.assert_array_equal(found.labels, labels)


def test_suppression_takes_the_strongest() -> None:
    rows = [(car(0), 0.5, 0, 0), (car(1), 0.9, 0, 1), (car(1), 0.2, 1, 1), (car(2), 0.3, 0, 0)]
    found = fuse(BoxFusion((2.0, 1.0), 0.5, "nms"), rows)
    assert found.leaders.tolist() == [0, 3, 2]  # 1 suppresses 0.9; then 0.6 and 0.2
    assert found.scores == pytest.approx([0.5, 0.3, 0.1])
    np.testing.assert_array_equal(found.boxes, [car(0), car(2), car(1)])


def test_thresholds_of_classes() -> None:
    rows = [(car(0), 0.9, label, 0) for label in (0, 1)] + [(car(1), 0.8, label, 1) for label in (0, 1)]
    assert fuse(BoxFusion((1.0, 1.0), (0.5, 0.7)), rows).labels.tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="there are 1 IoU thresholds, but a box has label 1"):
        fuse(BoxFusion((1.0, 1.0), (0.5,)), rows)


@pytest.mark.parametrize("method", ["wbf", "nms"])
def test_nothing_and_scores_of_zero(method: str) -> None:
    fusion = BoxFusion((1.0, 1.0), method=method)
    nothing = fusion(np.zeros((0, 7)), np.zeros(0), np.zeros(0), np.zeros(0))
    assert nothing.boxes.shape == (0, 7)
    found = fuse(fusion, [(car(0), 0.0, 0, 0), (car(0), 0.0, 0, 1)])
    np.testing.assert_array_equal(found.boxes, [car(0)])
    assert found.scores.tolist() == [0.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(method="soft"), "method is wbf or nms"),
        (dict(weights=(1.0, 0.0)), "positive weight"),
        (dict(weights=()), "positive weight"),
        (dict(thresholds=1.0), "below 1"),
    ],
)
def test_options_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BoxFusion(**{"weights": (1.0,), **options})
