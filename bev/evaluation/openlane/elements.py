"""Traffic elements of a frame: detections by attribute, and vertices of the topology."""

from __future__ import annotations

import numpy as np

from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.evaluation.openlane.detection import JudgedInstances, judge, match
from bev.evaluation.openlane.distances import iou_distances
from bev.evaluation.openlane.frames import FrameReader
from bev.evaluation.openlane.rules import ELEMENT_THRESHOLDS
from bev.evaluation.openlane.topology import Vertices

ELEMENTS = "traffic_element"


def judge_elements(truth: FrameReader, predicted: FrameReader) -> tuple[JudgedInstances, Vertices]:
    """Detections, matched within their attribute, and vertices, matched regardless of it.

    Raises:
        OpenLaneFormatError: A box, attribute or confidence is missing or has another form.
    """
    true_attributes, attributes = (reader.numbers(ELEMENTS, "attribute", np.int64) for reader in (truth, predicted))
    confidence = predicted.confidences(ELEMENTS)
    distances = iou_distances(truth.boxes(ELEMENTS), predicted.boxes(ELEMENTS))
    classes = range(len(ATTRIBUTES))
    detections = judge(distances, true_attributes, attributes, confidence, ELEMENT_THRESHOLDS, classes)
    found = match(distances, confidence, ELEMENT_THRESHOLDS[0])
    return detections, Vertices(found, confidence, len(true_attributes))
