"""Traffic elements: attributes count for detection, and not for the topology."""

from __future__ import annotations

from typing import Any

from bev.evaluation.openlane.elements import judge_elements
from bev.evaluation.openlane.frames import FrameReader


def element(left: float, attribute: int, confidence: float = 1.0) -> dict[str, Any]:
    return {"points": [[left, 0.0], [left + 10.0, 10.0]], "attribute": attribute, "confidence": confidence}


def test_attributes() -> None:
    truth = FrameReader({"traffic_element": [element(0, 1), element(100, 2)]}, "t", True)
    found = [element(1, 2, 0.9), element(2, 1, 0.8), element(101, 2, 0.7)]
    detections, vertices = judge_elements(truth, FrameReader({"traffic_element": found}, "t", False))
    assert detections.hits.tolist() == [[False, True, True]]
    assert detections.truths.tolist() == [0, 1, 1] + [0] * 10
    assert vertices.found.tolist() == [0, -1, 1]
    assert vertices.truths == 2


def test_boxes_match_beyond_a_quarter_of_overlap() -> None:
    truth = FrameReader({"traffic_element": [element(0, 0)]}, "t", True)
    for left, hit in ((5.9, True), (6.0, False), (6.1, False)):
        detections, _ = judge_elements(truth, FrameReader({"traffic_element": [element(left, 0)]}, "t", False))
        assert detections.hits.tolist() == [[hit]]
