"""Matching and average precision by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bev.evaluation.openlane.detection import JudgedInstances, average_precisions, judge, match


def precision_of(hits: list[int], truths: int) -> float:
    ranked = JudgedInstances(
        -np.arange(len(hits)), np.zeros(len(hits), dtype=np.int64), np.array([hits], dtype=bool), np.array([truths])
    )
    return average_precisions([ranked]).item()


def test_only_the_nearest_true_instance_can_be_found() -> None:
    distances = np.array([[0.4, 0.3, 0.9], [0.5, 2.0, 0.8]])
    confidence = np.array([0.7, 0.9, 0.6])
    # The second prediction takes the first instance; the first one may not fall back on the other, which is near too.
    assert match(distances, confidence, 1.0).tolist() == [-1, 0, 1]


def test_of_equally_confident_predictions_the_first_one_matches() -> None:
    assert match(np.array([[0.4, 0.3]]), np.array([0.5, 0.5]), 1.0).tolist() == [0, -1]


def test_the_threshold_is_exclusive_and_nan_finds_nothing() -> None:
    distances = np.array([[1.0, np.nan, 0.5], [3.0, 0.1, 2.0]])
    assert match(distances, np.ones(3), 1.0).tolist() == [-1, -1, 0]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_match(shape: tuple[int, int]) -> None:
    assert match(np.zeros(shape), np.zeros(shape[1]), 1.0).tolist() == [-1] * shape[1]


def test_classes_are_matched_apart() -> None:
    distances = np.array([[0.1, 0.2], [0.3, 0.4]])
    found = judge(distances, np.array([1, 2]), np.array([2, 7]), np.array([0.9, 0.8]), (0.5,), (1, 2))
    assert found.hits.tolist() == [[True, False]]
    assert found.labels.tolist() == [1, -1]
    assert found.truths.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("hits", "truths", "expected"),
    [
        ([], 0, 1.0),
        ([], 2, 0.0),
        ([0, 0], 0, 0.0),
        ([1, 1], 2, 1.0),
        # Two lanes, each predicted twice: precision 1 up to recall 0.5, 2/3 beyond.
        ([1, 0, 1, 0], 2, (6 + 5 * 2 / 3) / 11),
        # Recalls are float32: 7 of 10 reach the level 0.7, which they would miss by a rounding in float64.
        ([1] * 7, 10, 8 / 11),
        ([1] * 9, 10, 10 / 11),
    ],
)
def test_average_precision(hits: list[int], truths: int, expected: float) -> None:
    assert precision_of(hits, truths) == pytest.approx(expected, abs=1e-6)


def test_predictions_of_all_frames_are_ranked_together() -> None:
    label = np.zeros(1, dtype=np.int64)
    frames = [
        JudgedInstances(np.array([0.3]), label, np.array([[True]]), np.array([1])),
        JudgedInstances(np.array([0.9]), label, np.array([[False]]), np.array([0])),
    ]
    assert average_precisions(frames).item() == pytest.approx(0.5)
