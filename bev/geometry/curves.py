"""Lanes as a few numbers and back: Bezier control points or ordered points.

Both ways are linear, so that a curve of any number of points is one matrix product away from its code.

Shapes: P points of a curve as given, N control points, R points of a curve as returned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from bev.errors import InputError

KINDS = ("bezier", "points")


@dataclass(frozen=True)
class CurveCode:
    """How a 3D curve is described by `size` numbers: x, y, z of one control point after the other.

    Attributes:
        kind: "bezier" for the control points of a Bezier curve that begins and ends where the lane does, or "points"
            for points on the curve.
        num_control: N, at least 2.
        num_points: R.
    """

    kind: str = "bezier"
    num_control: int = 5
    num_points: int = 11

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a curve's code is one of {', '.join(KINDS)}, not {self.kind!r}")
        if min(self.num_control, self.num_points) < 2:
            raise InputError(f"curves have at least 2 points, not {self.num_control} and {self.num_points}")

    @property
    def size(self) -> int:
        """Numbers of a code: 3 N."""
        return 3 * self.num_control

    def encode(self, points: Tensor) -> Tensor:
        """Curves (..., P, 3), evenly spaced in their parameter, to codes (..., 3 N) in the same unit and frame.

        Bezier curves are fitted by least squares with both ends fixed.

        Raises:
            InputError: If a Bezier curve has more control points than the curve has points.
        """
        count = points.shape[-2]
        if self.kind == "bezier":
            if count < self.num_control:
                raise InputError(f"{count} points do not determine a Bezier curve of {self.num_control} control points")
            matrix = bezier_fit(count, self.num_control)
        else:
            matrix = interpolation(count, self.num_control)
        return (_like(matrix, points) @ points).flatten(-2)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (..., 3 N) to curves (..., R, 3) in the same unit and frame."""
        control = codes.unflatten(-1, (self.num_control, 3))
        if self.kind == "bezier":
            return _like(bezier_basis(self.num_points, self.num_control), codes) @ control
        return _like(interpolation(self.num_control, self.num_points), codes) @ control


def headings_of(steps: Tensor, num_headings: int) -> Tensor:
    """Nearest of the headings 0, 2 pi / K, ... of steps that begin with x and y: (..., 2 or 3) to (...) int64."""
    turns = torch.atan2(steps[..., 1], steps[..., 0]) / (2 * math.pi)
    return (turns * num_headings).round().long() % num_headings


@cache
def bezier_basis(num_points: int, num_control: int) -> np.ndarray:
    """Bernstein polynomials (num_points, num_control) float64 at evenly spaced parameters from 0 to 1."""
    t = np.linspace(0, 1, num_points)[:, None]
    index = np.arange(num_control)
    binomial = np.array([math.comb(num_control - 1, k) for k in index])
    return binomial * t**index * (1 - t) ** (num_control - 1 - index)


@cache
def bezier_fit(num_points: int, num_control: int) -> np.ndarray:
    """Matrix (num_control, num_points) float64 from points of a curve to control points: least squares, ends fixed."""
    basis = bezier_basis(num_points, num_control)
    fit = np.zeros((num_control, num_points))
    fit[0, 0] = fit[-1, -1] = 1
    inner = np.linalg.pinv(basis[1:-1, 1:-1])
    fit[1:-1, 1:-1] = inner
    fit[1:-1, 0], fit[1:-1, -1] = -inner @ basis[1:-1, 0], -inner @ basis[1:-1, -1]
    return fit


@cache
def interpolation(num_given: int, num_wanted: int) -> np.ndarray:
    """Matrix (num_wanted, num_given) float64 that resamples a polyline, evenly in its index."""
    places = np.linspace(0, num_given - 1, num_wanted)[:, None]
    return np.maximum(0, 1 - np.abs(places - np.arange(num_given)))


def _like(matrix: np.ndarray, reference: Tensor) -> Tensor:
    return torch.as_tensor(matrix, dtype=reference.dtype, device=reference.device)
