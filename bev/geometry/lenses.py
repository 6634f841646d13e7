"""Lenses: where a real one shows what a pinhole would show elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

RemapTables = tuple[np.ndarray, np.ndarray]
OUTSIDE = -2**15  # a place that is in no image: `cv2.remap` leaves it black


class Lens(NamedTuple):
    """A pinhole camera and what its lens adds; hashable.

    Attributes:
        focal: f_u, f_v, pixels of the image file.
        centre: c_u, c_v, pixels of the image file, in which the first pixel's centre is (0.5, 0.5).
        distortion: k1, k2, p1, p2, k3 of OpenCV's model.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, ...]

    def distort(self, pixels: np.ndarray) -> np.ndarray:
        """Where the file shows what an ideal lens would show at `pixels` (N, 2) of the image file; (N, 2)."""
        rays = (np.asarray(pixels, dtype=np.float64) - self.centre) / self.focal
        points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
        shown, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), self._matrix(1.0), np.array(self.distortion))
        return shown[:, 0] + 0.5

    def maps(self, size: tuple[int, int], scale: float) -> RemapTables:
        """Lookup tables for `cv2.remap`.

        Args:
            size: Height and width of the image, pixels.
            scale: Its size relative to the image file.
        """
        matrix, distortion = self._matrix(scale), np.array(self.distortion)
        tables = cv2.initUndistortRectifyMap(matrix, distortion, np.eye(3), matrix, size[::-1], cv2.CV_16SC2)
        places, fractions = tables
        columns = (np.arange(size[1]) - matrix[0, 2]) / matrix[0, 0]
        rows = (np.arange(size[0])[:, None] - matrix[1, 2]) / matrix[1, 1]
        places[np.hypot(columns, rows) > self._reach()] = OUTSIDE
        return places, fractions

    def _reach(self) -> float:
        """Largest distance from the axis, in focal lengths, up to which what is further out is shown further out.

        Beyond it the polynomial folds back, and would show the border of the image once more.
        """
        k1, k2, _, _, k3 = self.distortion
        squares = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0])  # of the derivative of r (1 + k1 r^2 + k2 r^4 + k3 r^6)
        turning = squares.real[(np.abs(squares.imag) < 1e-9) & (squares.real > 0)]
        return float(np.sqrt(turning.min(initial=np.inf)))

    def _matrix(self, scale: float) -> np.ndarray:
        """Intrinsic matrix in OpenCV's pixels, in which the first one's centre is (0, 0)."""
        (f_u, f_v), (c_u, c_v) = self.focal, self.centre
        return np.array([[f_u * scale, 0.0, c_u * scale - 0.5], [0.0, f_v * scale, c_v * scale - 0.5], [0.0, 0.0, 1.0]])
