from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from bev.evaluation.openlane.frames import OpenLaneFormatError
from bev.evaluation.openlane.geometric import with_geometric_topology
from bev.evaluation.openlane_ols import evaluate

Points = list[list[float]]


def line(*corners: tuple[float, float]) -> Points:
    return [[x, y, 0.0] for x, y in corners]


def frame(*lanes: Points, related: list[tuple[int, int]] = ()) -> dict:
    topology = np.zeros((len(lanes), len(lanes)))
    for i, j in related:
        topology[i, j] = 1
    return {
        "lane_centerline": [
            {"id": i, "points": points, "confidence": 1 - i / 100} for i, points in enumerate(lanes)
        ],
        "traffic_element": [],
        "topology_lclc": topology,
        "topology_lcte": np.zeros((len(lanes), 0)),
    }


# A road of two lanes in a row; a third one comes back beside them.
FIRST, SECOND, BACK = line((0, 0), (10, 0)), line((10, 0), (20, 0)), line((20, 4), (10, 4), (0, 4))


def test_confidences_by_hand() -> None:
    given = frame(FIRST, line((13, 4), (20, 4)), related=[(1, 0)])
    before = copy.deepcopy(given)
    found = with_geometric_topology(given, "a", scale=2.0)
    # From (10, 0) to (13, 4) are 5 m, from (20, 4) to (0, 0) as many as the root of 416.
    expected = [[0, math.exp(-5 / 2)], [math.exp(-math.sqrt(416) / 2), 0]]
    np.testing.assert_allclose(found["topology_lclc"], expected, rtol=1e-6)
    np.testing.assert_array_equal(given["topology_lclc"], before["topology_lclc"])
    assert found["lane_centerline"] is given["lane_centerline"]


def test_height_counts() -> None:
    above = [[10.0, 0.0, 6.0], [20.0, 0.0, 6.0]]
    found = with_geometric_topology(frame(FIRST, above), "a", scale=3.0)
    assert found["topology_lclc"][0, 1] == pytest.approx(math.exp(-2))


def test_a_loop_does_not_lead_into_itself() -> None:
    loop = line((0, 0), (5, 5), (0, 0))
    np.testing.assert_array_equal(with_geometric_topology(frame(loop), "a")["topology_lclc"], [[0]])


def test_true_lanes_are_linked_rightly() -> None:
    truth = frame(FIRST, SECOND, BACK, related=[(0, 1)])
    # Without the third lane's score for predicting no edge, all is right already; edges across are 4 m, not an edge.
    assert evaluate({"a": truth}, {"a": with_geometric_topology(truth, "a")})["TOP_ll"] == 1.0


def test_lanes_that_just_miss_each_other_are_not_linked() -> None:
    truth = frame(FIRST, SECOND, related=[(0, 1)])
    near, far = (frame(FIRST, line((10 + gap, 0), (20, 0))) for gap in (1.38, 1.39))
    # exp(-gap / 2) passes 0.5 between; an edge that is not found costs its row and its column out of four.
    assert evaluate({"a": truth}, {"a": with_geometric_topology(near, "a")})["TOP_ll"] > 0.66
    assert evaluate({"a": truth}, {"a": with_geometric_topology(far, "a")})["TOP_ll"] < 0.51


def test_no_lanes_and_lanes_that_are_not_finite() -> None:
    assert with_geometric_topology(frame(), "a")["topology_lclc"].shape == (0, 0)
    broken = copy.deepcopy(SECOND)
    broken[1][0] = float("nan")
    np.testing.assert_array_equal(with_geometric_topology(frame(FIRST, broken), "a")["topology_lclc"], 0)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="positive number of metres, not 0"):
        with_geometric_topology(frame(FIRST), "a", scale=0)
    with pytest.raises(OpenLaneFormatError, match="prediction of frame a: lane_centerline 0: 'points' is missing"):
        with_geometric_topology({**frame(FIRST), "lane_centerline": [{}]}, "a")
