"""Names of the numbers in OpenLane-V2 annotations."""

from __future__ import annotations

ATTRIBUTES = (
    "unknown",
    "red",
    "green",
    "yellow",
    "go_straight",
    "turn_left",
    "turn_right",
    "no_left_turn",
    "no_right_turn",
    "u_turn",
    "no_u_turn",
    "slight_left",
    "slight_right",
)
"""Traffic elements by attribute number."""

AREAS = {1: "pedestrian_crossing", 2: "road_boundary"}
"""Areas by category number."""
