"""Cones, barriers, traffic lights, lamps, trees, hedges and houses."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.bodies.common import (
    ASPHALT_BLACK,
    DARK_STEEL,
    MARGIN,
    SIGNAL_ORANGE,
    STEEL,
    WHITE,
    Colour,
    Size,
    rgb,
)
from bev.datasets.synthetic.parts import CONE, ELLIPSOID, EMISSIVE, FACADE, FOLIAGE, FRUSTUM, PLAIN, STRIPES, Part

_LAMPS: dict[str, tuple[Colour, Colour]] = {  # lit, dark
    "red": ((3.0, 0.10, 0.06), (0.06, 0.01, 0.01)),
    "yellow": ((3.0, 1.5, 0.1), (0.06, 0.04, 0.01)),
    "green": ((0.1, 2.6, 1.2), (0.01, 0.05, 0.03)),
}

SIGN_FACES: dict[Colour, str] = {
    (0.02, 0.08, 0.35): "go_straight",
    (0.45, 0.02, 0.02): "no_u_turn",
    (0.6, 0.6, 0.6): "unknown",
    (0.02, 0.2, 0.08): "unknown",
}
"""What signs of a colour mean, as an attribute of OpenLane-V2: blue ones order, red ones forbid, others inform."""

LIGHT_HEADS = ((2, 6), (6, 10))
"""First and end part of each head of a `traffic_light`."""


def traffic_cone(rng: np.random.Generator, size: Size) -> list[Part]:
    """An orange cone, or a slim bollard, with white bands."""
    length, width, height = size
    side = min(length, width) / 2 - MARGIN
    orange = rgb(np.array(SIGNAL_ORANGE) * rng.uniform(0.6, 1.1))
    top = 0.18 if rng.random() < 0.8 else 0.7
    cone = Part(
        (0, 0, 0.05 + (height - 0.05) / 2),
        (0.72 * side, 0.72 * side, (height - 0.05) / 2 - MARGIN),
        CONE,
        STRIPES,
        orange,
        WHITE,
        taper=(top, 0, 0),
    )
    return [
        Part((0, 0, 0.03), (side, side, 0.025), FRUSTUM, PLAIN, ASPHALT_BLACK if rng.random() < 0.5 else orange),
        cone,
    ]


def barrier(rng: np.random.Generator, size: Size) -> list[Part]:
    """A concrete barrier, a water-filled plastic one, or boards on legs; wide across, thin along its heading."""
    length, width, height = size
    depth, across, top = length / 2 - MARGIN, width / 2 - MARGIN, height - MARGIN
    style = rng.random()
    if style < 0.4:
        grey = rgb(np.full(3, rng.uniform(0.25, 0.45)))
        foot = Part((0, 0, 0.15 * top), (depth, across, 0.15 * top - MARGIN), FRUSTUM, PLAIN, grey, taper=(0.3, 0.3, 0))
        lean = 0.35 * depth / (0.7 * top)
        wall = Part((0, 0, 0.65 * top), (0.55 * depth, across, 0.35 * top), FRUSTUM, PLAIN, grey, taper=(lean, lean, 0))
        return [foot, wall]
    paint = SIGNAL_ORANGE if rng.random() < 0.6 else (0.5, 0.03, 0.02)
    if style < 0.7:
        lean = 0.5 * depth / top
        return [
            Part((0, 0, top / 2), (depth, across, top / 2 - MARGIN), FRUSTUM, STRIPES, paint, WHITE, (lean, lean, 0))
        ]
    boards = [Part((0, 0, z * top), (0.03, across, 0.11 * top), FRUSTUM, STRIPES, paint, WHITE) for z in (0.88, 0.5)]
    legs = [
        Part(
            (0, side * 0.8 * across, top / 2),
            (depth, 0.03, top / 2 - MARGIN),
            FRUSTUM,
            PLAIN,
            STEEL,
            taper=(depth / top, depth / top, 0),
        )
        for side in (-1, 1)
    ]
    return boards + legs


def traffic_light(state: str, reach: float) -> list[Part]:
    """A mast whose arm carries a signal `reach` metres towards -y; the lamps face +x.

    Args:
        state: "red", "yellow" or "green".
        reach: Length of the arm, metres.
    """
    parts = [
        Part((0, 0, 2.9), (0.09, 0.09, 2.9), CONE, PLAIN, DARK_STEEL, taper=(0.7, 0, 0)),
        Part((0, -reach / 2, 5.6), (0.06, reach / 2, 0.06), FRUSTUM, PLAIN, DARK_STEEL),
    ]
    for y, z in ((0.2 - reach, 5.5), (0.0, 3.2)):
        parts.append(Part((0.16, y, z), (0.11, 0.17, 0.5), FRUSTUM, PLAIN, (0.02, 0.02, 0.02)))
        for lamp, height in (("red", 0.31), ("yellow", 0.0), ("green", -0.31)):
            colour = _LAMPS[lamp][0 if lamp == state else 1]
            parts.append(Part((0.27, y, z + height), (0.05, 0.13, 0.13), ELLIPSOID, EMISSIVE, colour))
    return parts


def street_lamp(height: float) -> list[Part]:
    """A lamp post whose arm points to +x."""
    return [
        Part((0, 0, height / 2), (0.1, 0.1, height / 2), CONE, PLAIN, STEEL, taper=(0.5, 0, 0)),
        Part((0.9, 0, height), (0.95, 0.05, 0.05), FRUSTUM, PLAIN, STEEL),
        Part((1.8, 0, height - 0.03), (0.35, 0.14, 0.06), FRUSTUM, PLAIN, WHITE),
    ]


def sign(rng: np.random.Generator) -> list[Part]:
    """A road sign that faces +x: a pole and a face, whose colour is one of `SIGN_FACES`."""
    colour = tuple(SIGN_FACES)[rng.integers(len(SIGN_FACES))]
    height = rng.uniform(2.1, 3.0)
    side = rng.uniform(0.25, 0.45)
    return [
        Part((0, 0, height / 2), (0.035, 0.035, height / 2), CONE, PLAIN, STEEL, taper=(1, 0, 0)),
        Part((0.05, 0, height), (0.01, side, side * rng.uniform(0.7, 1.3)), FRUSTUM, PLAIN, colour),
    ]


def tree(rng: np.random.Generator) -> list[Part]:
    """A broadleaf tree or a conifer."""
    green = np.array([0.05, 0.10, 0.025]) * rng.uniform(0.7, 1.5) + rng.uniform(0, 0.02, 3)
    bark = (0.07, 0.05, 0.035)
    height = rng.uniform(4.5, 10.0)
    trunk = Part(
        (0, 0, 0.25 * height), (0.03 * height, 0.03 * height, 0.25 * height), CONE, PLAIN, bark, taper=(0.7, 0, 0)
    )
    if rng.random() < 0.25:
        crown = Part(
            (0, 0, 0.6 * height),
            (0.2 * height, 0.2 * height, 0.42 * height),
            CONE,
            FOLIAGE,
            rgb(green),
            taper=(0.05, 0, 0),
        )
        return [trunk, crown]
    crowns = [trunk]
    for _ in range(rng.integers(4, 8)):
        radius = height * rng.uniform(0.11, 0.21)
        place = (*rng.normal(0.0, 0.09, 2) * height, height * rng.uniform(0.56, 0.84))
        half = (radius, radius * rng.uniform(0.8, 1.2), radius * rng.uniform(0.7, 1.0))
        crowns.append(Part(place, half, ELLIPSOID, FOLIAGE, rgb(green * rng.uniform(0.85, 1.15))))
    return crowns


def hedge(rng: np.random.Generator, length: float) -> list[Part]:
    """A hedge along x."""
    height = rng.uniform(0.7, 1.8)
    return [
        Part(
            (0, 0, height / 2),
            (length / 2, 0.4, height / 2),
            FRUSTUM,
            FOLIAGE,
            (0.045, 0.085, 0.025),
            taper=(0.05, 0.05, 0.1),
        )
    ]


def house(rng: np.random.Generator, length: float, depth: float) -> list[Part]:
    """A building with a flat roof, a ledge, and sometimes a tower set back."""
    walls = np.array(
        [
            (0.45, 0.42, 0.37),
            (0.25, 0.10, 0.07),
            (0.32, 0.31, 0.30),
            (0.50, 0.47, 0.42),
            (0.20, 0.22, 0.25),
            (0.38, 0.27, 0.17),
        ]
    )
    wall = walls[rng.integers(len(walls))] * rng.uniform(0.75, 1.15)
    paint, ledge = rgb(wall), rgb(0.75 * wall)
    height = 3.3 * rng.integers(2, 9)
    trim = rgb(wall * rng.uniform(0.5, 1.4) * rng.uniform(0.85, 1.15, 3))
    parts = [
        Part((0, 0, height / 2), (length / 2, depth / 2, height / 2), FRUSTUM, FACADE, paint, trim),
        Part((0, 0, height + 0.2), (length / 2 + 0.15, depth / 2 + 0.15, 0.2), FRUSTUM, PLAIN, ledge),
    ]
    if rng.random() < 0.25:
        rise = 3.3 * rng.integers(2, 6)
        parts.append(
            Part((0, 0, height + rise / 2), (0.35 * length, 0.35 * depth, rise / 2), FRUSTUM, FACADE, paint, trim)
        )
    return parts
