"""The UniScore of lane segments by hand."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

from bev.evaluation.openlane.frames import OpenLaneFormatError
from bev.evaluation.openlane_olus import evaluate


def line(start: float, y: float) -> np.ndarray:
    return np.array([[start + 2.5 * i, y, 0.0] for i in range(5)], dtype=np.float32)


def segment(start: float, shift: float = 0.0, left: float = 0.0, right: float = 0.0) -> dict[str, Any]:
    return {
        "centerline": line(start, shift),
        "left_laneline": line(start, 2.0 + left),
        "right_laneline": line(start, -2.0 + right),
        "confidence": 0.9,
    }


def frame(segments: list[dict], height: float, edges: list, element_edges: list) -> dict[str, Any]:
    crossing = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [0, 0, 0]], dtype=np.float32)
    crossing[:, 2] = height
    return {
        "lane_segment": segments,
        "area": [{"points": crossing, "category": 1, "confidence": 0.8}],
        "traffic_element": [{"points": np.array([[0, 0], [9, 9]], np.float32), "attribute": 1, "confidence": 0.7}],
        "topology_lsls": np.array(edges),
        "topology_lste": np.array(element_edges),
    }


TRUTH = frame([segment(0), segment(10)], 0.0, [[0, 1], [0, 0]], [[1], [0]])
SHIFTS = {"shift": 0.6, "left": 1.0, "right": 0.8}
PREDICTION = frame(
    [segment(0, **SHIFTS), segment(10, **SHIFTS)], 0.7, [[0.1, 0.8], [0.9, 0.1]], [[0.9], [0.6]]
)


def test_scores_by_hand() -> None:
    found = evaluate({"a": TRUTH}, {"a": PREDICTION})
    # Half of 0.6 + 1.0 + 0.8 m, and 5 % less for the second segment, 10 m away: found at 2 and 3 m.
    assert [found[f"DET_ls@{limit}"] for limit in (1, 2, 3)] == [0, 1, 1]
    # 0.7 m apart: found at 1 and 1.5 m; a boundary is neither there nor predicted.
    assert found["DET_a/pedestrian_crossing"] == pytest.approx(2 / 3)
    assert found["DET_a/road_boundary"] == 1
    # Where segments are found, the right edge counts at both its ends, and the wrong one at both of its own.
    assert found["TOP_lsls"] == pytest.approx((0 + 2 + 2) / 12)
    # The first segment's edge and the element's best one are right, the second segment's is not.
    assert found["TOP_lste"] == pytest.approx((0 + 2 + 2) / 9)
    assert found["DET_t"] == 1
    parts = [2 / 3, 5 / 6, 1, math.sqrt(1 / 3), math.sqrt(4 / 9)]
    assert found["OLUS"] == pytest.approx(sum(parts) / 5, abs=1e-6)


def test_areas_match_their_own_category_only() -> None:
    boundary = copy.deepcopy(TRUTH)
    boundary["area"][0]["category"] = 2
    found = evaluate({"a": TRUTH}, {"a": boundary})
    assert (found["DET_a"], found["DET_a/pedestrian_crossing"], found["DET_a/road_boundary"]) == (0, 0, 0)


def test_truth_as_prediction_is_perfect() -> None:
    assert set(evaluate({"a": TRUTH}, {"a": TRUTH}).values()) == {1.0}
    assert set(evaluate({"a": TRUTH}, None).values()) == {1.0}


def test_a_side_line_with_nan_makes_a_false_positive() -> None:
    broken = copy.deepcopy(TRUTH)
    broken["lane_segment"][0]["left_laneline"][2, 1] = np.nan
    found = evaluate({"a": TRUTH}, {"a": broken})
    # The broken one ranks first: precision 1/2 up to recall 1/2.
    assert found["DET_ls"] == pytest.approx(6 * 0.5 / 11)


def test_a_missing_line_is_named() -> None:
    broken = copy.deepcopy(PREDICTION)
    del broken["lane_segment"][1]["right_laneline"]
    with pytest.raises(OpenLaneFormatError, match="prediction of frame a: lane_segment 1: 'right_laneline' is missing"):
        evaluate({"a": TRUTH}, {"a": broken})
    with pytest.raises(ValueError, match="no frame"):
        evaluate({}, {})
