"""A floor for lane topology: lanes that meet are taken to lead into each other.

What a network says about relations is worth what it adds to this, judged on the same predicted lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bev.errors import InputError
from bev.evaluation.openlane.frames import Curves, FrameReader

SCALE = 2.0
"""Metres; edges then count, being above 0.5, where an end and a start are within 1.4 m."""


def geometric_topology(curves: Curves, scale: float = SCALE) -> np.ndarray:
    """Confidences (M, M) that the row's lane leads into the column's: exp(-gap / scale).

    The gap is the distance from the row's end to the column's start. No lane leads into itself, and none with points
    that are not finite leads anywhere.

    Args:
        curves: M lanes, metres.
        scale: Metres, positive.

    Raises:
        InputError: The scale is not positive.
    """
    if not scale > 0:
        raise InputError(f"the scale of the geometric topology is a positive number of metres, not {scale}")
    starts, ends = curves.points[curves.starts[:-1]], curves.points[curves.starts[1:] - 1]
    gaps = np.linalg.norm(ends[:, None] - starts, axis=-1)
    related = curves.finite[:, None] & curves.finite & ~np.eye(len(curves), dtype=bool)
    return np.exp(-np.where(related, gaps, np.inf) / scale)


def with_geometric_topology(prediction: Mapping[str, Any], token: Any, scale: float = SCALE) -> dict[str, Any]:
    """A prediction in the devkit's format with the relations of its lanes told from their ends alone.

    Args:
        prediction: It is left as it is.
        token: The frame, for messages.
        scale: As for `geometric_topology`.

    Raises:
        OpenLaneFormatError: Its lanes cannot be read.
    """
    curves = FrameReader(prediction, token, is_truth=False).curves("lane_centerline")
    return {**prediction, "topology_lclc": geometric_topology(curves, scale)}
