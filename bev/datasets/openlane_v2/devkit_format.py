"""Annotations and predictions as dictionaries of the OpenLane-V2 devkit, which metrics and submissions take.

Shapes: n lanes, P points of a lane, k traffic elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bev.datasets.index_io import well_formed
from bev.geometry import transform_points

METRIC_POINTS = 11


def annotation_of(topology: Mapping[str, Any], where: str = "lane topology of an index") -> dict[str, Any]:
    """The devkit's annotation of a record's `lane_topology`, which an error's message calls `where`.

    Centrelines are thinned to the points that the official evaluation compares: with the index's 21 points, every
    second of them, which are every twentieth of the 201 in the annotation.

    Raises:
        IndexFormatError: The record holds something else.
    """
    with well_formed(where):
        return _annotation_of(topology)


def _annotation_of(topology: Mapping[str, Any]) -> dict[str, Any]:
    lanes = topology["lanes"]
    step = max((lanes.shape[1] - 1) // (METRIC_POINTS - 1), 1)
    return {
        "lane_centerline": [
            {"id": int(identity), "points": points[::step]}
            for identity, points in zip(topology["lane_ids"], lanes, strict=True)
        ],
        "traffic_element": [
            {"id": int(identity), "category": int(category), "attribute": int(attribute), "points": box.reshape(2, 2)}
            for identity, category, attribute, box in zip(
                *(topology[f"traffic_{key}"] for key in ("ids", "categories", "attributes", "boxes")), strict=True
            )
        ],
        "topology_lclc": topology["topology_lclc"].astype(np.int8),
        "topology_lcte": topology["topology_lcte"].astype(np.int8),
    }


def prediction_of(found: Mapping[str, Any], frame_T_bev: np.ndarray | None = None) -> dict[str, Any]:
    """The devkit's prediction of what `LaneTopologyHead.predict` gives.

    Args:
        found: `lanes` (n, P, 3), `lane_scores` (n,), `traffic_boxes` (k, 4), `traffic_attributes` (k,),
            `traffic_scores` (k,), `topology_lclc` (n, n), `topology_lcte` (n, k); tensors.
        frame_T_bev: (4, 4) from the bev frame to the one that annotations are in; None where they are the same.
    """
    arrays = {key: found[key].detach().cpu().numpy() for key in _PREDICTED}
    lanes = arrays["lanes"].astype(np.float64)
    if frame_T_bev is not None:
        lanes = transform_points(lanes, frame_T_bev)
    lanes, boxes = lanes.astype(np.float32), arrays["traffic_boxes"].astype(np.float32)
    return {
        "lane_centerline": [
            {"id": i, "points": points, "confidence": float(arrays["lane_scores"][i])}
            for i, points in enumerate(lanes)
        ],
        "traffic_element": [
            {
                "id": len(lanes) + i,
                "attribute": int(arrays["traffic_attributes"][i]),
                "points": box.reshape(2, 2),
                "confidence": float(arrays["traffic_scores"][i]),
            }
            for i, box in enumerate(boxes)
        ],
        "topology_lclc": arrays["topology_lclc"].astype(np.float32),
        "topology_lcte": arrays["topology_lcte"].astype(np.float32),
    }


_PREDICTED = (
    "lanes",
    "lane_scores",
    "traffic_boxes",
    "traffic_attributes",
    "traffic_scores",
    "topology_lclc",
    "topology_lcte",
)
