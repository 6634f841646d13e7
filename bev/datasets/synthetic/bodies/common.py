"""Building blocks that several bodies share, and their colours (linear RGB)."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.parts import CONE, PLAIN, TYRE, Part

Colour = tuple[float, float, float]
Size = tuple[float, float, float]

MARGIN = 0.004
"""Bodies keep this distance from the sides of the annotated box, metres."""

ASPHALT_BLACK: Colour = (0.025, 0.025, 0.027)
STEEL: Colour = (0.22, 0.22, 0.23)
DARK_STEEL: Colour = (0.06, 0.06, 0.065)
SIGNAL_YELLOW: Colour = (0.75, 0.36, 0.02)
SIGNAL_ORANGE: Colour = (0.85, 0.16, 0.02)
WHITE: Colour = (0.72, 0.72, 0.70)

ALONG_Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Axes of a part whose local z points to the left (wheels, rolls)."""

ALONG_X = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Axes of a part whose local z points forward (tanks)."""

_PAINTS = np.array(
    [
        (0.70, 0.70, 0.69),
        (0.62, 0.62, 0.62),
        (0.33, 0.34, 0.35),
        (0.13, 0.135, 0.14),
        (0.03, 0.03, 0.032),
        (0.02, 0.02, 0.02),
        (0.02, 0.05, 0.20),
        (0.05, 0.12, 0.30),
        (0.30, 0.02, 0.02),
        (0.45, 0.05, 0.03),
        (0.04, 0.12, 0.06),
        (0.28, 0.22, 0.13),
        (0.55, 0.36, 0.03),
        (0.10, 0.22, 0.28),
    ]
)
_PAINT_SHARES = np.array([18, 10, 16, 12, 10, 8, 5, 5, 4, 4, 2, 3, 1.5, 1.5])


def rgb(values: np.ndarray) -> Colour:
    """A colour from an array (3,)."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def pitched(angle: float) -> np.ndarray:
    """Axes (3, 3) turned about the left axis; a positive angle (radians) leans the top forward."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def car_paint(rng: np.random.Generator) -> Colour:
    """A colour with the frequencies seen on roads."""
    paint = _PAINTS[rng.choice(len(_PAINTS), p=_PAINT_SHARES / _PAINT_SHARES.sum())]
    return rgb(paint * rng.uniform(0.85, 1.15))


def vivid(rng: np.random.Generator, low: float = 0.03, high: float = 0.55) -> Colour:
    """Any colour."""
    return rgb(rng.uniform(low, high, 3))


def wheel(x: float, y: float, radius: float, width: float) -> Part:
    """A wheel that touches the ground at (x, y), metres."""
    return Part(
        (x, y, radius + MARGIN), (radius, radius, width / 2), CONE, TYRE, ASPHALT_BLACK, taper=(1, 0, 0), axes=ALONG_Y
    )


def wheels(xs: list[float], width: float, radius: float, tyre_width: float = 0.21) -> list[Part]:
    """Pairs of wheels at the positions `xs` of a vehicle of the given width, metres."""
    y = width / 2 - tyre_width / 2 - MARGIN
    return [wheel(x, side * y, radius, tyre_width) for x in xs for side in (-1, 1)]


def bar(start: tuple[float, float, float], end: tuple[float, float, float], thickness: float, colour: Colour) -> Part:
    """A square bar between two points of the x-z plane or along z; metres."""
    start_point, end_point = np.array(start), np.array(end)
    along = end_point - start_point
    length = float(np.linalg.norm(along))
    angle = float(np.arctan2(along[0], along[2]))
    x, y, z = (start_point + end_point) / 2
    half = (thickness / 2, thickness / 2, length / 2)
    return Part((x, y, z), half, material=PLAIN, colour=colour, axes=pitched(angle))
