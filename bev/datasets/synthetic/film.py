"""From light to a JPEG-ready picture: haze, downsampling, exposure, tone curve, lens shading and grain."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.weather import Weather
from bev.geometry.compiled import jit

SUPERSAMPLING = 2
"""Rays per pixel along each image axis."""


@jit
def _develop(light, depth, horizon, haze, exposure, grain, picture):
    rows, columns = picture.shape[0], picture.shape[1]
    share = 1.0 / (SUPERSAMPLING * SUPERSAMPLING)
    for v in range(rows):
        for u in range(columns):
            red = green = blue = 0.0
            for i in range(SUPERSAMPLING):
                for j in range(SUPERSAMPLING):
                    y, x = v * SUPERSAMPLING + i, u * SUPERSAMPLING + j
                    clear = np.exp(-haze * depth[y, x]) if depth[y, x] < np.inf else 1.0
                    red += min(4.0, light[y, x, 0] * clear + horizon[0] * (1.0 - clear))
                    green += min(4.0, light[y, x, 1] * clear + horizon[1] * (1.0 - clear))
                    blue += min(4.0, light[y, x, 2] * clear + horizon[2] * (1.0 - clear))
            away = ((u + 0.5) / columns - 0.5) ** 2 + ((v + 0.5) / rows - 0.5) ** 2
            gain = share * exposure * (1.0 - 0.35 * away)
            for c, value in enumerate((blue, green, red)):
                value *= gain
                value = (
                    value * (2.51 * value + 0.03) / (value * (2.43 * value + 0.59) + 0.14)
                )  # Narkowicz's filmic curve
                level = 255.0 * min(1.0, value) ** 0.4545 + grain[v, u]
                picture[v, u, c] = np.uint8(min(255.0, max(0.0, level + 0.5)))


def develop(
    light: np.ndarray, depth: np.ndarray, weather: Weather, exposure: float, rng: np.random.Generator
) -> np.ndarray:
    """Turns light per ray into a picture.

    Args:
        light: (H * SUPERSAMPLING, W * SUPERSAMPLING, 3) float32, linear RGB.
        depth: Depth of each ray in metres; infinite in the sky.
        weather: For the haze.
        exposure: Factor of this camera.
        rng: For the grain.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    rows, columns = depth.shape[0] // SUPERSAMPLING, depth.shape[1] // SUPERSAMPLING
    grain = rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(2.0)
    picture = np.empty((rows, columns, 3), dtype=np.uint8)
    _develop(light, depth, weather.light.horizon, weather.haze, weather.exposure * exposure, grain, picture)
    return picture
