"""OpenLane-V2 score (OLS): centrelines, traffic elements and their topology (arXiv 2304.10440).

    OLS = mean(DET_l, DET_t, sqrt(TOP_ll), sqrt(TOP_lt))

Scores of versions 1.0 and 1.1 cannot be compared: they differ in TOP, see `bev.evaluation.openlane.rules`. Frames are
judged one by one, and what is kept of each is small:

    scores = summarise([judge_frame(token, truth[token], predict(token)) for token in truth])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.errors import InputError
from bev.evaluation.openlane.detection import JudgedInstances, average_precisions
from bev.evaluation.openlane.distances import centerline_distances
from bev.evaluation.openlane.elements import judge_elements
from bev.evaluation.openlane.f_score import count_lanes, f_score
from bev.evaluation.openlane.frames import FrameReader, each_frame
from bev.evaluation.openlane.lanes import judge_lanes
from bev.evaluation.openlane.rules import LANE_THRESHOLDS, rules_of
from bev.evaluation.openlane.topology import TopologyScore, judge_topology, mean_score

LANES = "lane_centerline"


@dataclass(frozen=True)
class OLSFrameResult:
    """What the score needs of a frame.

    Attributes:
        lanes: Centrelines at 1, 2 and 3 m.
        elements: Traffic elements by attribute.
        lane_lane: Edges between centrelines.
        lane_element: Edges between centrelines and traffic elements.
        lane_counts: (4,) for the F-score.
    """

    lanes: JudgedInstances
    elements: JudgedInstances
    lane_lane: TopologyScore
    lane_element: TopologyScore
    lane_counts: np.ndarray


def evaluate(
    ground_truth: Mapping[Any, Mapping], predictions: Mapping[Any, Mapping] | None, version: str = "v1.1"
) -> dict[str, float]:
    """Scores of all frames.

    Equally confident predictions keep their order; the official sorting leaves it open. Points of predictions that are
    NaN or infinite match nothing, as in the official evaluation; in the ground truth they are refused, because there
    they would silently spoil the frame.

    Args:
        ground_truth: Annotations by token in the devkit's format: `lane_centerline`, `traffic_element`,
            `topology_lclc`, `topology_lcte`; points in the ego frame in metres, boxes in pixels.
        predictions: Predictions likewise, each with a confidence; None judges the ground truth itself. See
            `each_frame` for the nesting that is understood.
        version: "v1.1", or "v1.0" of the CVPR 2023 challenge.

    Returns:
        As `summarise`.

    Raises:
        OpenLaneFormatError: Something cannot be judged; the message names the frame.
        InputError: The version is unknown, or there is no frame.
    """
    frames = each_frame(ground_truth, predictions)
    return summarise([judge_frame(token, truth, predicted, version) for token, truth, predicted in frames])


def judge_frame(token: Any, annotation: Any, prediction: Any, version: str = "v1.1") -> OLSFrameResult:
    """Compares a frame's prediction to its annotation; arguments and errors as those of `evaluate`."""
    rules = rules_of(version)
    truth = FrameReader(annotation, token, is_truth=True)
    predicted = truth if prediction is None else FrameReader(prediction, token, is_truth=False)
    true_lanes, lanes = truth.curves(LANES, fewest=1 + rules.opens_loops), predicted.curves(LANES)
    distances = centerline_distances(true_lanes, lanes, LANE_THRESHOLDS[-1], rules.opens_loops)
    detections, vertices = judge_lanes(distances, predicted.confidences(LANES))
    elements, element_vertices = judge_elements(truth, predicted)
    return OLSFrameResult(
        detections,
        elements,
        judge_topology(truth, predicted, "topology_lclc", vertices, None, rules),
        judge_topology(truth, predicted, "topology_lcte", vertices, element_vertices, rules),
        count_lanes(true_lanes, lanes),
    )


def summarise(frames: Sequence[OLSFrameResult]) -> dict[str, float]:
    """Scores of frames that have been judged.

    Returns:
        `OLS`, `DET_l`, `DET_t`, `TOP_ll`, `TOP_lt`; `DET_l@1`, `DET_l@2`, `DET_l@3` by distance in metres; `DET_t/red`
        and so on by attribute; `F_score` of centrelines. All in [0, 1]. An attribute that is neither annotated nor
        predicted counts as 1 in DET_t, as in the official evaluation.

    Raises:
        InputError: There is no frame.
    """
    if not frames:
        raise InputError("there is no frame to evaluate")
    lanes = average_precisions([frame.lanes for frame in frames])[0]
    elements = average_precisions([frame.elements for frame in frames])[:, 0]
    lane_lane = mean_score(frame.lane_lane for frame in frames)
    lane_element = mean_score(frame.lane_element for frame in frames)
    parts = [float(lanes.mean()), float(elements.mean()), lane_lane, lane_element]
    return {
        "OLS": float(np.mean([*parts[:2], *np.sqrt(parts[2:])])),
        **dict(zip(("DET_l", "DET_t", "TOP_ll", "TOP_lt"), parts, strict=True)),
        **{f"DET_l@{limit:g}": value for limit, value in zip(LANE_THRESHOLDS, lanes.tolist(), strict=True)},
        **{f"DET_t/{name}": value for name, value in zip(ATTRIBUTES, elements.tolist(), strict=True)},
        "F_score": f_score(np.sum([frame.lane_counts for frame in frames], axis=0)),
    }
