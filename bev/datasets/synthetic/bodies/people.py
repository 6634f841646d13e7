"""Pedestrians, riders and what they ride. Walkers come in several phases of a stride."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.bodies.common import (
    ASPHALT_BLACK,
    DARK_STEEL,
    MARGIN,
    SIGNAL_ORANGE,
    STEEL,
    Colour,
    Size,
    bar,
    car_paint,
    pitched,
    vivid,
    wheel,
)
from bev.datasets.synthetic.parts import CLOTH, ELLIPSOID, FRUSTUM, PLAIN, Part

PHASES = 4
"""Phases of a stride."""

_SKINS: tuple[Colour, ...] = ((0.55, 0.33, 0.22), (0.40, 0.22, 0.13), (0.20, 0.10, 0.055), (0.62, 0.42, 0.32))
_HAIRS: tuple[Colour, ...] = ((0.02, 0.015, 0.01), (0.07, 0.04, 0.02), (0.25, 0.16, 0.06), (0.3, 0.3, 0.3))


def pedestrian(rng: np.random.Generator, size: Size, walking: bool, worker: bool = False) -> list[list[Part]]:
    """A standing person (one list of parts) or a walking one (`PHASES` lists). Workers wear a vest and a helmet."""
    length, _, height = size
    top = SIGNAL_ORANGE if worker else vivid(rng, 0.02, 0.5)
    trousers = vivid(rng, 0.015, 0.16)
    skin = _SKINS[rng.integers(len(_SKINS))]
    hair = (0.75, 0.55, 0.03) if worker else _HAIRS[rng.integers(len(_HAIRS))]
    trunk = [_torso(size, top), *_head((0.0, 0.925 * height), height, skin, hair)]
    if rng.random() < 0.3 and not worker:
        bag = (0.11, 0.15, 0.13 * height)
        trunk.append(Part((-0.5 * length + 0.12, 0, 0.68 * height), bag, material=CLOTH, colour=trousers))
    swings = [np.sin(2 * np.pi * k / PHASES + 0.4) for k in range(PHASES)] if walking else [0.15]
    return [trunk + _limbs(size, swing, top, trousers) for swing in swings]


def _limbs(size: Size, swing: float, top: Colour, trousers: Colour) -> list[Part]:
    """Legs and arms; `swing` in [-1, 1] is how far they are apart."""
    length, width, height = size
    stride = swing * np.arcsin(min(0.5, 0.36 * length / (0.455 * height)))
    limbs = []
    for side in (-1, 1):
        hip, shoulder = (0.0, side * 0.14 * width, 0.47 * height), (0.0, side * 0.37 * width, 0.80 * height)
        limbs.append(_limb(hip, 0.455 * height, 0.11 * width + 0.03, side * stride, trousers))
        limbs.append(_limb(shoulder, 0.34 * height, 0.07 * width + 0.02, -0.9 * side * stride, top))
    return limbs


def _torso(size: Size, colour: Colour) -> Part:
    length, width, height = size
    half = (0.21 * length, 0.30 * width, 0.185 * height)
    return Part((0, 0, 0.645 * height), half, FRUSTUM, CLOTH, colour, taper=(0.05, 0.02, -0.05))


def _limb(joint: tuple[float, float, float], length: float, thickness: float, angle: float, colour: Colour) -> Part:
    """A limb that hangs from a joint and swings forward by `angle` radians."""
    half = length / 2 - MARGIN
    centre = (joint[0] + np.sin(angle) * half, joint[1], joint[2] - np.cos(angle) * half)
    return Part(centre, (thickness / 2, thickness / 2, half), FRUSTUM, CLOTH, colour, axes=pitched(-angle))


def _head(place: tuple[float, float], height: float, skin: Colour, hair: Colour, y: float = 0.0) -> list[Part]:
    x, z = place
    radius = 0.058 * height
    return [
        Part((x + 0.015, y, z), (radius, 0.9 * radius, 0.070 * height), ELLIPSOID, PLAIN, skin),
        Part((x - 0.012, y, z + 0.012 * height), (radius, 0.95 * radius, 0.060 * height), ELLIPSOID, PLAIN, hair),
    ]


def _rider(rng: np.random.Generator, seat: tuple[float, float], top: float, width: float, reach: float) -> list[Part]:
    """A seated person: hips at `seat` (x, z), head below `top`, hands `reach` in front of the shoulders; metres."""
    x, z = seat
    jacket, trousers = vivid(rng, 0.02, 0.5), vivid(rng, 0.015, 0.15)
    helmet = vivid(rng, 0.02, 0.6)
    trunk = top - z
    lean = pitched(0.28)
    shoulder = (x + 0.28 * 0.55 * trunk, z + 0.62 * trunk)
    parts = [
        Part(
            (x + 0.14 * 0.5 * trunk + 0.03, 0, z + 0.34 * trunk),
            (0.12, 0.30 * width + 0.05, 0.31 * trunk),
            FRUSTUM,
            CLOTH,
            jacket,
            axes=lean,
        )
    ]
    for side in (-1, 1):
        y = side * min(0.16, 0.3 * width)
        parts.append(bar((x, y, z), (x + 0.36, y, z - 0.08), 0.14, trousers))
        parts.append(bar((x + 0.36, y, z - 0.06), (x + 0.24, y, 0.30), 0.11, trousers))
        parts.append(
            bar(
                (shoulder[0], side * (0.38 * width), shoulder[1]),
                (shoulder[0] + reach, side * 0.38 * width, z + 0.28 * trunk),
                0.09,
                jacket,
            )
        )
    radius = 0.15 * trunk
    head = (x + 0.20 * trunk, top - radius - MARGIN)
    parts.append(Part((head[0], 0, head[1]), (radius, 0.85 * radius, radius), ELLIPSOID, PLAIN, helmet))
    parts.append(
        Part(
            (head[0] + 0.04, 0, head[1] - 0.25 * radius),
            (radius * 0.9, 0.7 * radius, 0.6 * radius),
            ELLIPSOID,
            PLAIN,
            _SKINS[rng.integers(4)],
        )
    )
    return parts


def bicycle(rng: np.random.Generator, size: Size, ridden: bool) -> list[list[Part]]:
    """A bicycle, with its rider if ridden."""
    length, width, height = size
    radius = min(0.34, 0.20 * length)
    paint, end = car_paint(rng), length / 2 - radius - MARGIN
    crank, seat, bars = (-0.05, radius), (-0.24, 0.88), (end - 0.13, 0.94)
    parts = [
        *(wheel(x, 0.0, radius, 0.05) for x in (-end, end)),
        bar((-end, 0, radius), (crank[0], 0, crank[1]), 0.05, paint),
        bar((crank[0], 0, crank[1]), (seat[0], 0, seat[1]), 0.05, paint),
        bar((crank[0], 0, crank[1]), (bars[0], 0, bars[1] - 0.2), 0.05, paint),
        bar((seat[0], 0, seat[1] - 0.15), (bars[0], 0, bars[1] - 0.12), 0.05, paint),
        bar((end, 0, radius), (bars[0], 0, bars[1]), 0.045, DARK_STEEL),
        Part((bars[0], 0, bars[1]), (0.025, width / 2 - MARGIN, 0.025), material=PLAIN, colour=ASPHALT_BLACK),
        Part((seat[0], 0, seat[1] + 0.02), (0.13, 0.07, 0.035), material=PLAIN, colour=ASPHALT_BLACK),
    ]
    if ridden:
        parts += _rider(rng, (seat[0] + 0.02, seat[1] + 0.1), height, width, 0.42)
    return [parts]


def motorcycle(rng: np.random.Generator, size: Size, ridden: bool) -> list[list[Part]]:
    """A motorcycle, with its rider if ridden."""
    length, width, height = size
    radius = 0.30
    paint, end = car_paint(rng), length / 2 - radius - MARGIN
    parts = [
        *(wheel(x, 0.0, radius, 0.14) for x in (-end, end)),
        Part((0.02, 0, 0.47), (0.30, 0.15, 0.2), FRUSTUM, PLAIN, STEEL, taper=(0.2, 0.2, 0)),
        Part((0.12, 0, 0.78), (0.32, 0.15, 0.13), FRUSTUM, PLAIN, paint, taper=(0.5, 0.6, 0.2)),
        Part((-0.42, 0, 0.78), (0.38, 0.13, 0.07), FRUSTUM, PLAIN, ASPHALT_BLACK, taper=(0.2, 0.4, 0.1)),
        bar((end, 0, radius), (end - 0.30, 0, 0.98), 0.09, STEEL),
        Part((end - 0.28, 0, 1.0), (0.04, width / 2 - MARGIN, 0.03), material=PLAIN, colour=ASPHALT_BLACK),
        Part((end - 0.16, 0, 0.88), (0.09, 0.1, 0.1), ELLIPSOID, PLAIN, (0.9, 0.9, 0.8)),
        Part((-end - 0.02, 0, 0.72), (0.05, 0.09, 0.04), ELLIPSOID, PLAIN, (0.6, 0.02, 0.02)),
    ]
    if ridden:
        parts += _rider(rng, (-0.26, 0.88), height, width, 0.5)
    return [parts]
