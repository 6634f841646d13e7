"""Names of the numbers in OpenLane-V2 annotations, and of its cameras."""

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

MIRRORED = tuple(
    ATTRIBUTES.index(name.replace("left", "*").replace("right", "left").replace("*", "right")) for name in ATTRIBUTES
)
"""Attribute number of what an attribute looks like in a mirror."""

ELEMENTS = {1: "traffic_light", 2: "road_sign"}
"""Kinds of traffic elements by category number."""

AREAS = {1: "pedestrian_crossing", 2: "road_boundary"}
"""Areas by category number."""

LINE_TYPES = ("none", "solid", "dash")
"""Kinds of lines beside a lane segment by number."""

FRONT_CAMERAS = {"A": "ring_front_center", "B": "CAM_FRONT"}
"""The camera that traffic elements are annotated in, by subset."""

NUM_CAMERAS = {"A": 7, "B": 6}
"""Cameras of a frame, by subset."""
