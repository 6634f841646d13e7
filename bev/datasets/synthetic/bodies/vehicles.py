"""Cars, trucks, buses, trailers and construction vehicles."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.bodies.common import (
    ALONG_X,
    ASPHALT_BLACK,
    DARK_STEEL,
    MARGIN,
    SIGNAL_YELLOW,
    STEEL,
    WHITE,
    Colour,
    Size,
    bar,
    car_paint,
    vivid,
    wheels,
)
from bev.datasets.synthetic.parts import BODYWORK, CABIN, CARGO, COACH, CONE, FRUSTUM, GLASS, PLAIN, TYRE, Part


def block(
    x: tuple[float, float],
    width: float,
    z: tuple[float, float],
    material: int,
    colour: Colour,
    taper: tuple[float, float, float] = (0, 0, 0),
    accent: Colour = (0.1, 0.1, 0.1),
    y: float = 0.0,
) -> Part:
    """A frustum given by its rear and front x, its width and its bottom and top z, metres."""
    centre = ((x[0] + x[1]) / 2, y, (z[0] + z[1]) / 2)
    half = ((x[1] - x[0]) / 2, width / 2, (z[1] - z[0]) / 2)
    return Part(centre, half, FRUSTUM, material, colour, accent, taper)


def _skip(
    x: tuple[float, float],
    width: float,
    z: tuple[float, float],
    colour: Colour,
    widening: tuple[float, float, float],
    y: float = 0.0,
) -> Part:
    """An open container that widens upwards by `widening` metres per metre (front, back, sides) up to x and width."""
    rise = z[1] - z[0]
    front, back, side = widening
    bottom = (x[0] + max(back, 0.0) * rise, x[1] - max(front, 0.0) * rise)
    return block(bottom, width - 2 * side * rise, z, PLAIN, colour, (-front, -back, -side), y=y)


def car(rng: np.random.Generator, size: Size) -> list[Part]:
    """A saloon, estate, off-roader or van; taller sizes make taller styles."""
    length, width, height = size
    paint, end = car_paint(rng), length / 2 - MARGIN
    waist = height * rng.uniform(0.53, 0.58)
    tall = height > 1.85
    if tall:
        rear, front, taper = -end, 0.34 * length, (0.75, 0.10, 0.10)
    elif height > 1.6:
        rear, front, taper = -end + 0.05, 0.22 * length, (0.95, 0.25, 0.18)
    else:
        rear, front, taper = -0.40 * length, 0.22 * length, (1.15, 0.95, 0.28)
    radius = 0.19 * height + 0.02 if not tall else 0.34
    return [
        block((-end, end), width - 0.05, (0.2, waist), BODYWORK, paint, (0.10, 0.06, 0.03)),
        block((rear, front), width - 0.10, (waist, height - MARGIN), CABIN, paint, taper),
        *wheels([-0.30 * length, 0.31 * length], width, radius),
    ]


def truck(rng: np.random.Generator, size: Size) -> list[Part]:
    """A pick-up, a box lorry or a tipper."""
    length, width, height = size
    if height < 2.2:
        return _pickup(rng, size)
    paint, end = car_paint(rng), length / 2 - MARGIN
    cab = end - min(2.1, 0.32 * length)
    cab_top = height * rng.uniform(0.80, 0.93)
    if rng.random() < 0.7:
        load = block(
            (-end, cab - 0.12), width - 2 * MARGIN, (0.95, height - MARGIN), CARGO, _cargo_paint(rng), accent=vivid(rng)
        )
    else:
        load = _skip((-end, cab - 0.05), width - 2 * MARGIN, (0.95, 0.75 * height), car_paint(rng), (0.1, 0.25, 0.03))
    axles = [-0.36 * length, cab + 0.9] if length < 7.5 else [-0.38 * length, -0.38 * length + 1.25, cab + 0.9]
    top = height - MARGIN - cab_top
    return [
        block((cab, end), width - 0.12, (0.45, 0.52 * cab_top), BODYWORK, paint, (0.03, 0, 0.01)),
        block((cab, end - 0.03), width - 0.14, (0.52 * cab_top, cab_top), CABIN, paint, (0.16, 0, 0.05)),
        block((cab + 0.3, cab + 1.1), width - 0.5, (cab_top, cab_top + top), PLAIN, paint, (0.8, 0, 0.1)),
        block((-end + 0.2, cab), 0.9, (0.55, 0.95), PLAIN, DARK_STEEL),
        load,
        *wheels(axles, width, 0.48, 0.28),
    ]


def _cargo_paint(rng: np.random.Generator) -> Colour:
    return WHITE if rng.random() < 0.6 else vivid(rng, 0.15, 0.6)


def _pickup(rng: np.random.Generator, size: Size) -> list[Part]:
    length, width, height = size
    paint, end, waist = car_paint(rng), length / 2 - MARGIN, 0.6 * height
    return [
        block((-end, end), width - 0.05, (0.35, waist), BODYWORK, paint, (0.05, 0.02, 0.02)),
        block((-end + 0.1, -0.10 * length), width - 0.25, (waist, waist + 0.02), PLAIN, ASPHALT_BLACK),
        block((-0.08 * length, 0.24 * length), width - 0.12, (waist, height - MARGIN), CABIN, paint, (0.8, 0.2, 0.15)),
        *wheels([-0.31 * length, 0.32 * length], width, 0.40, 0.25),
    ]


def bus(rng: np.random.Generator, size: Size) -> list[Part]:
    """A city bus."""
    length, width, height = size
    end = length / 2 - MARGIN
    paint = WHITE if rng.random() < 0.4 else vivid(rng, 0.05, 0.6)
    return [
        block((-end, end), width - 0.04, (0.30, height - 0.28), COACH, paint, (0.02, 0.01, 0.01), vivid(rng)),
        block((-0.8 * end, -0.2 * end), width - 0.7, (height - 0.28, height - MARGIN), PLAIN, paint, (0.5, 0.5, 0.2)),
        *wheels([-0.28 * length, 0.27 * length], width, 0.5, 0.3),
    ]


def trailer(rng: np.random.Generator, size: Size) -> list[Part]:
    """A semi-trailer: box, tank or flatbed with containers."""
    length, width, height = size
    end = length / 2 - MARGIN
    rear_axles = [-end + 1.0, -end + 2.3] if length > 8 else [-end + 0.35 * length]
    base = [
        block((-end, end), width - 0.5, (0.95, 1.2), PLAIN, DARK_STEEL),
        block((-end, -end + 0.08), width - 0.1, (0.55, 1.2), CARGO, (0.12, 0.12, 0.12)),
        block((0.55 * end, 0.62 * end), 1.6, (0.1, 1.0), PLAIN, DARK_STEEL),
        *wheels(rear_axles, width, 0.5, 0.35),
    ]
    style = rng.random()
    if style < 0.65:
        box = block(
            (-end, end), width - 2 * MARGIN, (1.2, height - MARGIN), CARGO, _cargo_paint(rng), accent=vivid(rng)
        )
        return [*base, box]
    if style < 0.82:
        radius = (height - 1.2 - MARGIN) / 2
        tank = Part(
            (0, 0, 1.2 + radius),
            (radius, width / 2 - MARGIN, end),
            CONE,
            PLAIN,
            (0.5, 0.5, 0.52),
            taper=(1, 0, 0),
            axes=ALONG_X,
        )
        return [*base, tank]
    middle = rng.uniform(-0.1, 0.1) * length
    boxes = [(-end, middle - 0.1), (middle + 0.1, end)]
    return base + [block(x, width - 0.1, (1.2, height - MARGIN), CARGO, vivid(rng), accent=vivid(rng)) for x in boxes]


def construction_vehicle(rng: np.random.Generator, size: Size) -> list[Part]:
    """An excavator or a wheel loader."""
    paint = SIGNAL_YELLOW if rng.random() < 0.7 else vivid(rng, 0.1, 0.6)
    return _excavator(size, paint) if rng.random() < 0.5 else _loader(size, paint)


def _excavator(size: Size, paint: Colour) -> list[Part]:
    length, width, height = size
    end, top = length / 2 - 0.06, height - 0.12
    tracks = [
        block(
            (-end, 0.25 * length),
            0.2 * width,
            (MARGIN, 0.75),
            TYRE,
            ASPHALT_BLACK,
            (0.2, 0.2, 0),
            y=side * 0.39 * width,
        )
        for side in (-1, 1)
    ]
    return [
        *tracks,
        block((-end, 0.16 * length), 0.9 * width, (0.85, 0.52 * height), PLAIN, paint, (0.05, 0.1, 0.02)),
        block(
            (-0.12 * length, 0.16 * length),
            0.36 * width,
            (0.52 * height, 0.93 * height),
            GLASS,
            paint,
            (0.15, 0.05, 0.03),
            y=0.24 * width,
        ),
        block(
            (-0.12 * length, 0.14 * length), 0.36 * width, (0.93 * height, 0.96 * height), PLAIN, paint, y=0.24 * width
        ),
        bar((0.12 * length, -0.1 * width, 0.45 * height), (0.28 * length, -0.1 * width, top - 0.1), 0.30, paint),
        bar((0.28 * length, -0.1 * width, top - 0.1), (end - 0.25, -0.1 * width, 0.42 * height), 0.24, paint),
        _skip((end - 0.75, end), 0.34 * width, (0.12 * height, 0.42 * height), STEEL, (0.2, -0.1, 0), y=-0.1 * width),
    ]


def _loader(size: Size, paint: Colour) -> list[Part]:
    length, width, height = size
    end = length / 2 - MARGIN
    radius = min(0.75, 0.23 * height)
    return [
        block((-end, 0.08 * length), 0.74 * width, (0.6, 0.55 * height), PLAIN, paint, (0, 0.15, 0.05)),
        block(
            (-0.1 * length, 0.10 * length), 0.55 * width, (0.55 * height, 0.94 * height), GLASS, paint, (0.1, 0.1, 0.05)
        ),
        block((-0.12 * length, 0.12 * length), 0.6 * width, (0.94 * height, height - MARGIN), PLAIN, paint),
        block((0.08 * length, 0.3 * length), 0.5 * width, (0.6, 0.4 * height), PLAIN, paint),
        bar((0.1 * length, 0.0, 0.42 * height), (end - 0.75, 0.0, 0.22 * height), 0.3, paint),
        _skip((end - 0.95, end), width - 2 * MARGIN, (0.15, 0.33 * height), STEEL, (0.25, -0.3, 0)),
        *wheels([-0.27 * length, 0.2 * length], 0.94 * width, radius, 0.45),
    ]
