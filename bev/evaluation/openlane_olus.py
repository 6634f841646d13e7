"""OpenLane-V2 UniScore (OLUS) of the 2024 format: lane segments, areas, traffic elements and their topology.

    OLUS = mean(DET_ls, DET_a, DET_t, sqrt(TOP_lsls), sqrt(TOP_lste))

After the devkit's release 2.1.0, which calls DET_ls, TOP_lsls and TOP_lste as those of centrelines: DET_l, TOP_ll and
TOP_lt. Topology follows version 1.1 of the OLS. Frames are judged one by one, as in `bev.evaluation.openlane_ols`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bev.datasets.openlane_v2.classes import AREAS, ATTRIBUTES
from bev.errors import InputError
from bev.evaluation.openlane.detection import JudgedInstances, average_precisions, judge
from bev.evaluation.openlane.distances import chamfer_distances, segment_distances
from bev.evaluation.openlane.elements import judge_elements
from bev.evaluation.openlane.frames import Curves, FrameReader, each_frame
from bev.evaluation.openlane.lanes import judge_lanes
from bev.evaluation.openlane.rules import AREA_THRESHOLDS, LANE_THRESHOLDS, rules_of
from bev.evaluation.openlane.topology import TopologyScore, judge_topology, mean_score

SEGMENTS, AREA = "lane_segment", "area"
LINES = ("centerline", "left_laneline", "right_laneline")
RULES = rules_of("v1.1")


@dataclass(frozen=True)
class OLUSFrameResult:
    """What the score needs of a frame.

    Attributes:
        segments: Lane segments at 1, 2 and 3 m.
        areas: Pedestrian crossings and road boundaries at 0.5, 1 and 1.5 m.
        elements: Traffic elements by attribute.
        segment_segment: Edges between lane segments.
        segment_element: Edges between lane segments and traffic elements.
    """

    segments: JudgedInstances
    areas: JudgedInstances
    elements: JudgedInstances
    segment_segment: TopologyScore
    segment_element: TopologyScore


def evaluate(ground_truth: Mapping[Any, Mapping], predictions: Mapping[Any, Mapping] | None) -> dict[str, float]:
    """Scores of all frames.

    What is said of ties and of numbers that are not finite in `bev.evaluation.openlane_ols.evaluate` holds here too.

    Args:
        ground_truth: Annotations by token in the devkit's format: `lane_segment`, `area`, `traffic_element`,
            `topology_lsls`, `topology_lste`; lines in the ego frame in metres, boxes in pixels.
        predictions: Predictions likewise, each with a confidence; None judges the ground truth itself. See
            `each_frame` for the nesting that is understood.

    Returns:
        As `summarise`.

    Raises:
        OpenLaneFormatError: Something cannot be judged; the message names the frame.
        InputError: There is no frame.
    """
    return summarise([judge_frame(*frame) for frame in each_frame(ground_truth, predictions)])


def judge_frame(token: Any, annotation: Any, prediction: Any) -> OLUSFrameResult:
    """Compares a frame's prediction to its annotation; arguments and errors as those of `evaluate`."""
    truth = FrameReader(annotation, token, is_truth=True)
    predicted = truth if prediction is None else FrameReader(prediction, token, is_truth=False)
    distances = segment_distances(_lines(truth), _lines(predicted), LANE_THRESHOLDS[-1], RULES.opens_loops)
    segments, vertices = judge_lanes(distances, predicted.confidences(SEGMENTS))
    elements, element_vertices = judge_elements(truth, predicted)
    return OLUSFrameResult(
        segments,
        _judge_areas(truth, predicted),
        elements,
        judge_topology(truth, predicted, "topology_lsls", vertices, None, RULES),
        judge_topology(truth, predicted, "topology_lste", vertices, element_vertices, RULES),
    )


def summarise(frames: Sequence[OLUSFrameResult]) -> dict[str, float]:
    """Scores of frames that have been judged.

    Returns:
        `OLUS`, `DET_ls`, `DET_a`, `DET_t`, `TOP_lsls`, `TOP_lste`; `DET_ls@1` and so on by distance in metres; means
        `DET_a/pedestrian_crossing`, `DET_a/road_boundary`; `DET_t/red` and so on by attribute. All in [0, 1]. A class
        that is neither annotated nor predicted counts as 1, as in the official evaluation.

    Raises:
        InputError: There is no frame.
    """
    if not frames:
        raise InputError("there is no frame to evaluate")
    segments = average_precisions([frame.segments for frame in frames])[0]
    areas = average_precisions([frame.areas for frame in frames])
    elements = average_precisions([frame.elements for frame in frames])[:, 0]
    topology = [
        mean_score(frame.segment_segment for frame in frames),
        mean_score(frame.segment_element for frame in frames),
    ]
    parts = [*(float(array.mean()) for array in (segments, areas, elements)), *topology]
    return {
        "OLUS": float(np.mean([*parts[:3], *np.sqrt(topology)])),
        **dict(zip(("DET_ls", "DET_a", "DET_t", "TOP_lsls", "TOP_lste"), parts, strict=True)),
        **{f"DET_ls@{limit:g}": value for limit, value in zip(LANE_THRESHOLDS, segments.tolist(), strict=True)},
        **{f"DET_a/{name}": value for name, value in zip(AREAS.values(), areas.mean(axis=1).tolist(), strict=True)},
        **{f"DET_t/{name}": value for name, value in zip(ATTRIBUTES, elements.tolist(), strict=True)},
    }


def _lines(reader: FrameReader) -> tuple[Curves, Curves, Curves]:
    """Centre, left and right lines of all lane segments."""
    center, left, right = (reader.curves(SEGMENTS, key, fewest=1 + reader.is_truth) for key in LINES)
    return center, left, right


def _judge_areas(truth: FrameReader, predicted: FrameReader) -> JudgedInstances:
    """Areas matched within their category by the Chamfer distance of their outlines, which is not relaxed."""
    outlines = truth.curves(AREA, fewest=2), predicted.curves(AREA)
    true_categories, categories = (reader.numbers(AREA, "category", np.int64) for reader in (truth, predicted))
    distances = chamfer_distances(*outlines, RULES.opens_loops)
    confidence = predicted.confidences(AREA)
    return judge(distances, true_categories, categories, confidence, AREA_THRESHOLDS, tuple(AREAS))
