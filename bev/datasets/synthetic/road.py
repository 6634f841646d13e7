"""Roads and paths: plane curves with arc length, sampled every metre.

World frame: x east, y north, z up, metres; the ground is z = 0. Traffic drives on the right. Along a road, `s` is the
arc length and `d` the signed distance to the left of the centre line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEP = 1.0
"""Spacing of the samples of a road's centre line, metres."""


@dataclass(frozen=True)
class Path:
    """A polyline that something drives or walks along.

    Attributes:
        points: (N, 2) float64, metres, no two neighbours equal.
    """

    points: np.ndarray

    @cached_property
    def stations(self) -> np.ndarray:
        """Arc length (N,) at each point, metres."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])

    @cached_property
    def headings(self) -> np.ndarray:
        """Unwrapped direction of travel (N,) at each point, radians."""
        tangent = np.gradient(self.points, axis=0)
        return np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))

    @property
    def length(self) -> float:
        """Length in metres."""
        return float(self.stations[-1])

    def at(self, distance: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Position (..., 2) and heading (...) at arc lengths (...); beyond the ends the path goes on straight."""
        distance = np.asarray(distance, dtype=np.float64)
        heading = np.interp(distance, self.stations, self.headings)
        position = np.stack([np.interp(distance, self.stations, self.points[:, i]) for i in range(2)], axis=-1)
        excess = distance - np.clip(distance, 0.0, self.length)
        return position + excess[..., None] * direction(heading), heading

    def curvature(self, distance: np.ndarray) -> np.ndarray:
        """Curvature (...) at arc lengths (...), 1/m, positive to the left."""
        return np.interp(distance, self.stations, np.gradient(self.headings, self.stations))

    def nearest(self, position: np.ndarray) -> float:
        """Arc length of the sample nearest to a position (2,)."""
        return float(self.stations[np.argmin(np.linalg.norm(self.points - position, axis=1))])

    def reversed(self) -> Path:
        """The same curve, travelled the other way."""
        return Path(self.points[::-1].copy())

    def between(self, start: float, stop: float) -> np.ndarray:
        """Samples (M, 2) of the stretch between two arc lengths, ends included."""
        inside = self.stations[(self.stations > start + 0.1) & (self.stations < stop - 0.1)]
        return self.at(np.concatenate([[start], inside, [stop]]))[0]


@dataclass(frozen=True)
class Road:
    """A two-way road with equal lanes in both directions, parking strips and sidewalks.

    Attributes:
        centre: Centre line.
        lanes: Lanes per direction.
        lane_width: Metres.
        parking_width: Metres on each side; 0 where there is no parking.
        sidewalk_width: Metres on each side.
    """

    centre: Path
    lanes: int
    lane_width: float
    parking_width: float
    sidewalk_width: float

    @property
    def driving_half_width(self) -> float:
        """From the centre line to the outer edge of the outermost lane, metres."""
        return self.lanes * self.lane_width

    @property
    def half_width(self) -> float:
        """From the centre line to the kerb, metres."""
        return self.driving_half_width + self.parking_width + 0.3

    def lane_offset(self, lane: int, side: int) -> float:
        """Signed offset d of a lane's centre; lane 0 is the innermost, side -1 runs along +s, side +1 against it."""
        return side * (lane + 0.5) * self.lane_width

    def offset_path(self, offset: float, side: int = -1) -> Path:
        """The curve at signed offset d, travelled along +s (side -1) or against it (side +1)."""
        heading = self.centre.headings
        normal = np.stack([-np.sin(heading), np.cos(heading)], axis=1)
        path = Path(self.centre.points + offset * normal)
        return path if side < 0 else path.reversed()

    def lane_path(self, lane: int, side: int) -> Path:
        """Centre of a lane in its direction of travel."""
        return self.offset_path(self.lane_offset(lane, side), side)


def direction(heading: np.ndarray | float) -> np.ndarray:
    """Unit vectors (..., 2) of headings (...) in radians."""
    return np.stack([np.cos(heading), np.sin(heading)], axis=-1)


def integrate(start: np.ndarray, heading: float, curvature: np.ndarray) -> np.ndarray:
    """Points (N + 1, 2) of a curve from its curvature (N,) per `STEP`, from a start point (2,) and heading."""
    headings = heading + np.concatenate([[0.0], np.cumsum(curvature * STEP)])
    middle = 0.5 * (headings[:-1] + headings[1:])
    return start + np.concatenate([np.zeros((1, 2)), np.cumsum(STEP * direction(middle), axis=0)])


def connect(start: np.ndarray, start_heading: float, end: np.ndarray, end_heading: float) -> np.ndarray:
    """Points (N, 2), about a metre apart, of a cubic Bezier curve that leaves and arrives with the given headings."""
    reach = 0.45 * np.linalg.norm(end - start)
    control = [start, start + reach * direction(start_heading), end - reach * direction(end_heading), end]
    t = np.linspace(0.0, 1.0, max(8, int(np.linalg.norm(end - start))))[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    return np.einsum("kni,kj->nj", np.stack(weights), np.stack(control))
