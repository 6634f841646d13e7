"""Light and air of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weather:
    """Light and air; colours are linear RGB, (3,) float32.

    Attributes:
        sun: Unit vector towards the sun, world frame.
        sun_colour: Direct sunlight; weak under clouds.
        ambient: Light from the sky.
        zenith: Colour of the sky overhead.
        horizon: Colour of the sky and the haze near the horizon.
        clouds: Cloud cover in [0, 1].
        haze: Share of light lost per metre.
        exposure: Factor of the film.
        seed: Varies the clouds.
        description: Words for the scene's description.
    """

    sun: np.ndarray
    sun_colour: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    clouds: float
    haze: float
    exposure: float
    seed: int
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
    return Weather(
        sun=np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], np.float32
        ),
        sun_colour=sun_colour.astype(np.float32),
        ambient=ambient.astype(np.float32),
        zenith=zenith.astype(np.float32),
        horizon=horizon.astype(np.float32),
        clouds=clouds,
        haze=float(rng.uniform(0.0004, 0.0025)),
        exposure=float(rng.uniform(0.5, 0.7) * (1.0 + 0.5 * clouds)),
        seed=int(rng.integers(1 << 16)),
        description=words + (", low sun" if low > 0.5 and clouds < 0.7 else ""),
    )
