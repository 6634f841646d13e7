"""Motion along paths, and the rule that nothing ever overlaps anything else.

Motions are sampled twice as often as key frames, so that objects don't pass through each other between them.
Shapes: S time samples; K objects already placed.
"""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.road import Path
from bev.datasets.synthetic.scene import FRAME_INTERVAL

SUBSTEPS = 2
"""Time samples per key frame interval."""

_GRID = 0.5
_SIDE_ACCELERATION = 2.0
_ACCELERATION = 1.8


def sample_times(frames: int) -> np.ndarray:
    """Time samples (S,) of a scene with that many key frames, seconds."""
    return np.arange((frames - 1) * SUBSTEPS + 1) * (FRAME_INTERVAL / SUBSTEPS)


def drive(path: Path, start: float, cruise: float, times: np.ndarray, stop_at: float | None = None) -> np.ndarray:
    """Distances along a path of a vehicle that slows down for bends and for a stop line.

    Args:
        path: Where it drives.
        start: Arc length at time 0, metres.
        cruise: Speed where nothing asks for less, m/s.
        times: (S,) seconds.
        stop_at: Arc length at which it stops, metres; None to drive on.

    Returns:
        (S,) arc lengths in metres; they may exceed the path's length (it goes on straight).
    """
    reach = start + cruise * times[-1] + 20.0
    end = reach if stop_at is None else min(reach, max(stop_at, start))
    stations = np.arange(start, end + 1e-9, _GRID)
    if len(stations) < 2:
        return np.full(len(times), start)
    energy = np.minimum(cruise**2, _SIDE_ACCELERATION / (np.abs(path.curvature(stations)) + 1e-6))
    if stop_at is not None and stop_at <= reach:
        energy[-1] = 0.0
    ramp = 2 * _ACCELERATION * _GRID * np.arange(len(stations))
    energy = np.minimum.accumulate(energy - ramp) + ramp
    energy = (np.minimum.accumulate((energy - ramp[::-1])[::-1]) + ramp)[::-1]
    speed = np.sqrt(np.maximum(energy, 0.01))
    clock = np.concatenate([[0.0], np.cumsum(_GRID / (0.5 * (speed[:-1] + speed[1:])))])
    return np.interp(times, clock, stations)


class Footprints:
    """The ground taken by everything placed so far, over time."""

    def __init__(self, samples: int) -> None:
        self._centres = np.zeros((0, samples, 2))
        self._yaws = np.zeros((0, samples))
        self._halves = np.zeros((0, 2))

    def add(self, centres: np.ndarray, yaws: np.ndarray, size: tuple[float, ...]) -> None:
        """Takes the ground of an object: centres (S, 2), yaws (S,), and length and width in metres."""
        self._centres = np.concatenate([self._centres, centres[None]])
        self._yaws = np.concatenate([self._yaws, yaws[None]])
        self._halves = np.concatenate([self._halves, [[size[0] / 2, size[1] / 2]]])

    def is_free(
        self, centres: np.ndarray, yaws: np.ndarray, size: tuple[float, ...], ahead: float = 0.3, beside: float = 0.3
    ) -> bool:
        """Whether an object would stay clear of all others.

        Args:
            centres: (S, 2) metres.
            yaws: (S,) radians.
            size: Length and width in metres.
            ahead: Extra room in front and behind, metres.
            beside: Extra room on each side, metres.
        """
        half = np.array([size[0] / 2 + ahead, size[1] / 2 + beside])
        gap = self._centres - centres
        radius = np.hypot(*half) + np.hypot(self._halves[:, 0], self._halves[:, 1])
        close, moment = np.nonzero((gap**2).sum(axis=-1) < radius[:, None] ** 2)
        if not len(close):
            return True
        return not overlap(
            gap[close, moment], yaws[moment], half[None], self._yaws[close, moment], self._halves[close]
        ).any()


def overlap(
    gap: np.ndarray, yaw_a: np.ndarray, half_a: np.ndarray, yaw_b: np.ndarray, half_b: np.ndarray
) -> np.ndarray:
    """Whether oriented rectangles overlap, by the separating axis theorem.

    Args:
        gap: (N, 2) centre of b minus centre of a.
        yaw_a: (N,) radians.
        half_a: (N, 2) or (1, 2) half length and half width.
        yaw_b: (N,) radians.
        half_b: (N, 2).

    Returns:
        (N,) bool.
    """
    cosine, sine = np.abs(np.cos(yaw_b - yaw_a)), np.abs(np.sin(yaw_b - yaw_a))
    apart = np.zeros(len(gap), dtype=bool)
    for yaw, own, other in ((yaw_a, half_a, half_b), (yaw_b, half_b, half_a)):
        along = np.abs(np.cos(yaw) * gap[:, 0] + np.sin(yaw) * gap[:, 1])
        left = np.abs(-np.sin(yaw) * gap[:, 0] + np.cos(yaw) * gap[:, 1])
        apart |= along > own[:, 0] + other[:, 0] * cosine + other[:, 1] * sine
        apart |= left > own[:, 1] + other[:, 0] * sine + other[:, 1] * cosine
    return ~apart
