"""Light and air of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Light(NamedTuple):
    """Light of a scene, as compiled code reads it; colours are linear RGB.

    Attributes:
        sun: Unit vector towards the sun, world frame.
        sun_colour: Direct sunlight; weak under clouds.
        ambient: Light from the sky.
        zenith: Colour of the sky overhead.
        horizon: Colour of the sky and the haze near the horizon.
        clouds: Cloud cover in [0, 1].
        seed: Varies the clouds.
    """

    sun: tuple[float, float, float]
    sun_colour: tuple[float, float, float]
    ambient: tuple[float, float, float]
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    clouds: float
    seed: float


@dataclass(frozen=True)
class Weather:
    """Light, air and the film to record them.

    Attributes:
        light: Light.
        haze: Share of light lost per metre.
        exposure: Factor of the film.
        description: Words for the scene's description.
    """

    light: Light
    haze: float
    exposure: float
    description: str


def draw_weather(rng: np.random.Generator) -> Weather:
    """Draws a clear, hazy or overcast day with the sun between 15 and 65 degrees high."""
    elevation, azimuth = np.deg2rad(rng.uniform(15.0, 65.0)), rng.uniform(-np.pi, np.pi)
    clouds = float(rng.beta(0.9, 1.1))
    low = np.clip((np.deg2rad(35.0) - elevation) / np.deg2rad(20.0), 0.0, 1.0)  # warm light when the sun is low
    sun_colour = np.array([3.1, 2.9 - 0.5 * low, 2.6 - 1.1 * low]) * (1.0 - 0.93 * clouds**1.5) * (1.0 - 0.15 * low)
    blue, grey = np.array([0.55, 0.75, 1.1]), np.array([0.95, 1.0, 1.05])
    ambient = (blue * (1 - clouds) + grey * clouds) * (0.85 + 0.45 * clouds)
    zenith = np.array([0.16, 0.34, 0.75]) * (1 - clouds) + np.array([0.55, 0.6, 0.68]) * clouds
    horizon = np.array([0.72, 0.82, 0.95]) * (1 - 0.25 * clouds) + low * (1 - clouds) * np.array([0.2, 0.05, -0.15])
    words = "overcast" if clouds > 0.7 else ("sunny" if clouds < 0.3 else "partly cloudy")
    across = np.cos(elevation)
    sun = np.array([across * np.cos(azimuth), across * np.sin(azimuth), np.sin(elevation)])
    return Weather(
        light=Light(
            _triple(sun),
            _triple(sun_colour),
            _triple(ambient),
            _triple(zenith),
            _triple(horizon),
            clouds,
            float(rng.integers(1 << 16)),
        ),
        haze=float(rng.uniform(0.0004, 0.0025)),
        exposure=float(rng.uniform(0.5, 0.7) * (1.0 + 0.5 * clouds)),
        description=words + (", low sun" if low > 0.5 and clouds < 0.7 else ""),
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
