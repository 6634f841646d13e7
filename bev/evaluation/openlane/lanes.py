"""Centrelines or lane segments of a frame: detections, and vertices of the topology at each threshold."""

from __future__ import annotations

import numpy as np

from bev.evaluation.openlane.detection import JudgedInstances, match
from bev.evaluation.openlane.rules import LANE_THRESHOLDS
from bev.evaluation.openlane.topology import Vertices


def judge_lanes(distances: np.ndarray, confidence: np.ndarray) -> tuple[JudgedInstances, list[Vertices]]:
    """Matches lanes by distances (G, P) in metres and confidences (P,)."""
    truths = len(distances)
    found = [match(distances, confidence, threshold) for threshold in LANE_THRESHOLDS]
    labels = np.zeros(len(confidence), dtype=np.int64)
    detections = JudgedInstances(confidence, labels, np.array(found) >= 0, np.array([truths]))
    return detections, [Vertices(row, confidence, truths) for row in found]
