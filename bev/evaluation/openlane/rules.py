"""In what the versions of the OpenLane-V2 metric differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.errors import InputError

LANE_THRESHOLDS = (1.0, 2.0, 3.0)
"""Metres, for centrelines and lane segments; pairs whose Chamfer distance reaches the last one are never compared."""

AREA_THRESHOLDS = (0.5, 1.0, 1.5)
"""Metres."""

ELEMENT_THRESHOLDS = (0.75,)
"""Of 1 - IoU: boxes match from an IoU of 0.25 on."""

EDGE_CONFIDENCE = 0.5
"""Predicted edges count above it."""


@dataclass(frozen=True)
class Rules:
    """One version of the metric.

    Attributes:
        opens_loops: Whether Chamfer distances leave out the last point of a closed true curve, which repeats the first.
        recall_levels: Whether TOP is averaged over ten sets of vertices, each with the predictions above a confidence;
            otherwise it uses all matched vertices once.
        unmatched_edge: Confidence of a wrong edge at vertices that no prediction matches; their true edges have none.
    """

    opens_loops: bool
    recall_levels: bool
    unmatched_edge: float


VERSIONS = {
    "v1.0": Rules(opens_loops=False, recall_levels=True, unmatched_edge=1.0),
    "v1.1": Rules(
        opens_loops=True, recall_levels=False, unmatched_edge=EDGE_CONFIDENCE + float(np.finfo(np.float32).eps)
    ),
}
"""v1.0 is that of the CVPR 2023 challenge; v1.1 is what the devkit's releases 1.1.0 and 2.1.0 compute."""


def rules_of(version: str) -> Rules:
    """The rules of a version.

    Raises:
        InputError: There is no such version.
    """
    if version not in VERSIONS:
        raise InputError(f"OpenLane-V2 metric version {version!r} is unknown; choose one of {', '.join(VERSIONS)}")
    return VERSIONS[version]
