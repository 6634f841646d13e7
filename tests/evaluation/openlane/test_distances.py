"""Distances against the official ones, and by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bev.evaluation.openlane.distances import (
    APART,
    centerline_distances,
    chamfer_distances,
    frechet_distances,
    iou_distances,
    relaxation,
    segment_distances,
)
from bev.evaluation.openlane.frames import Curves, FrameReader


def curves(*lines: list[tuple[float, float, float]]) -> Curves:
    return FrameReader({"lane_centerline": [{"points": line} for line in lines]}, "t", False).curves("lane_centerline")


@pytest.mark.parametrize(("code", "opens_loops"), [("v1.0", False), ("v2.1", True)])
def test_official_matrices(goldens: Path, code: str, opens_loops: bool) -> None:
    folder = goldens / "openlanev2_metric"
    truths = json.loads((folder / "ground_truth.json").read_text())
    predictions = json.loads((folder / "predictions.json").read_text())
    expected = json.loads((folder / f"scores_{code}_numpy1.json").read_text())["distances"]
    assert expected.keys() == truths.keys()
    for token, matrices in expected.items():
        truth, predicted = FrameReader(truths[token], token, True), FrameReader(predictions[token], token, False)
        lanes, found = truth.curves("lane_centerline"), predicted.curves("lane_centerline")
        factors = relaxation(lanes)[:, None]
        everything = np.ones((len(lanes), len(found)), dtype=bool)
        matrix = frechet_distances(lanes, found, everything) * factors
        np.testing.assert_allclose(matrix, matrices["frechet_relaxed_unmasked"], atol=1e-6)
        matrix = chamfer_distances(lanes, found, opens_loops) * factors
        np.testing.assert_allclose(matrix, matrices["chamfer_relaxed"], atol=1e-6)
        matrix = iou_distances(truth.boxes("traffic_element"), predicted.boxes("traffic_element"))
        np.testing.assert_array_equal(matrix, np.reshape(matrices["iou"], matrix.shape))


def test_the_frechet_distance_is_the_shortest_leash() -> None:
    straight = [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    detour = [(0, 1, 0), (1, 3, 0), (2, 1, 0)]
    lanes = curves(straight), curves(detour, straight[::-1], straight[:1])
    distances = frechet_distances(*lanes, np.ones((1, 3), dtype=bool))
    assert distances.tolist() == [[3, 2, 2]]


def test_the_chamfer_distance_opens_closed_true_curves_in_the_newer_version() -> None:
    square = [(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0), (0, 0, 0)]
    lanes = curves(square), curves([(0, 0, 1)])
    around = 1 + 2 * math.sqrt(5) + 3
    assert chamfer_distances(*lanes, opens_loops=True).item() == pytest.approx((1 + around / 4) / 2)
    assert chamfer_distances(*lanes, opens_loops=False).item() == pytest.approx((1 + (around + 1) / 5) / 2)


def test_far_curves_are_judged_more_leniently() -> None:
    lanes = curves([(0, 20, 0), (0, 40, 0)], [(0, 300, 0), (5, 300, 0)])
    assert relaxation(lanes).tolist() == pytest.approx([0.9, 0.5])
    shifted = curves([(1, 20, 0), (1, 40, 0)])
    distances = centerline_distances(lanes, shifted, 3.0, True)
    assert distances[:, 0].tolist() == pytest.approx([0.9, APART])


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("position", [0, 1])
def test_curves_that_are_not_finite_are_apart_from_all(number: float, position: int) -> None:
    line = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]
    broken = [*line]
    broken[position] = (number, 0.0, 0.0)
    lanes = curves(line), curves(broken, line)
    assert centerline_distances(*lanes, 3.0, True).tolist() == [[APART, 0]]
    segments = (lanes[0],) * 3, (curves(line, line), lanes[1], curves(line, line))
    assert segment_distances(*segments, 3.0, True).tolist() == [[APART, 0]]


def test_iou_of_boxes() -> None:
    box = np.array([[0, 0], [2, 2]], dtype=np.float32)
    found = np.stack([box, box + 1, box + 5, np.full((2, 2), np.nan)]).astype(np.float32)
    distances = iou_distances(box[None], found)[0]
    assert distances[:3].tolist() == pytest.approx([0, 6 / 7, 1])
    assert math.isnan(distances[3])
