"""Shadows on the ground, as a raster of sunlight and open sky; shapes are projected along the sun and filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from bev.datasets.synthetic.parts import FACADE, Parts

CELL = 0.2
"""Cell size of the rasters, metres."""

RADIUS = 70.0
"""Half the side of the raster around ego, metres."""

_FULL = 255
_SUBCELL_BITS = 4


class Shade(NamedTuple):
    """Shadows on a piece of ground, as compiled code reads them.

    Attributes:
        raster: (2, rows, columns) uint8: sunlight and open sky, 255 where nothing is in the way; rows run along y.
        origin: (2,) float64, world position of its corner, metres.
        cell: Cell size in metres.
    """

    raster: np.ndarray
    origin: np.ndarray
    cell: float


@dataclass(frozen=True)
class ShadowMap:
    """Shadows of everything that does not move.

    Attributes:
        shade: (2, rows, columns) uint8 over the whole world: sunlight and open sky, 255 where nothing is in the way.
        sun: Unit vector towards the sun.
    """

    shade: np.ndarray
    sun: tuple[float, float, float]

    def around(self, position: np.ndarray, parts: Parts) -> Shade:
        """Shadows around a position (2,), with those of moving parts added."""
        side = int(2 * RADIUS / CELL)
        limit = np.array(self.shade.shape[:0:-1]) - side
        corner = np.clip(np.rint((position - RADIUS) / CELL).astype(int), 0, np.maximum(limit, 0))
        window = self.shade[:, corner[1] : corner[1] + side, corner[0] : corner[0] + side].copy()
        origin = corner * CELL
        _draw(window, parts, self.sun, origin)
        return Shade(np.stack([cv2.GaussianBlur(layer, (3, 3), 0) for layer in window]), origin, CELL)

    def sunlight(self, parts: Parts) -> np.ndarray:
        """Share (P,) float32 of the sunlight that static things let through to the middle of each part."""
        reach = np.minimum(parts.centre[:, 2], 8.0) / max(self.sun[2], 0.1)
        cells = np.rint((parts.centre[:, :2] - reach[:, None] * np.array(self.sun[:2])) / CELL).astype(int)
        inside = ((cells >= 0) & (cells < np.array(self.shade.shape[:0:-1]))).all(axis=1)
        cells = np.where(inside[:, None], cells, 0)
        return np.where(inside, self.shade[0, cells[:, 1], cells[:, 0]] / _FULL, 1.0).astype(np.float32)


def static_shadows(extent: tuple[float, float], parts: Parts, sun: tuple[float, float, float]) -> ShadowMap:
    """Shadows of static parts in a world of the given size (x, y) in metres."""
    shade = np.full((2, int(extent[1] / CELL), int(extent[0] / CELL)), _FULL, dtype=np.uint8)
    _draw(shade, parts, sun, np.zeros(2))
    return ShadowMap(shade, sun)


def _draw(shade: np.ndarray, parts: Parts, sun: tuple[float, float, float], origin: np.ndarray) -> None:
    """Fills cast shadows (first layer) and darkens the sky under and beside the parts (second layer)."""
    if not len(parts):
        return
    points = parts.outline()
    slope = np.array(sun[:2]) / max(sun[2], 0.1)
    cast = points[..., :2] - points[..., 2:] * slope
    _fill(shade[0], cast, origin, 0.0)
    low = (parts.centre[:, 2] - parts.half[:, 2] < 1.0) & (parts.material != FACADE)
    contact = np.full(shade.shape[1:], _FULL, dtype=np.uint8)
    _fill(contact, points[low][..., :2], origin, 70.0)
    np.minimum(shade[1], cv2.blur(contact, (5, 5)), out=shade[1])


def _fill(raster: np.ndarray, outlines: np.ndarray, origin: np.ndarray, value: float) -> None:
    cells = ((outlines - origin) / CELL - 0.5) * (1 << _SUBCELL_BITS)
    height, width = raster.shape
    low, high = cells.min(axis=1), cells.max(axis=1)
    size = np.array([width, height]) * (1 << _SUBCELL_BITS)
    for outline in cells[((high > 0) & (low < size)).all(axis=1)]:
        hull = cv2.convexHull(outline.astype(np.float32))
        cv2.fillConvexPoly(raster, np.rint(hull).astype(np.int32), [value], lineType=cv2.LINE_8, shift=_SUBCELL_BITS)
