"""Which frames of a scene belong to the clip around a sample.

Shapes: F frames, sorted by scene and, inside a scene, by time; T frames of a clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bev.errors import InputError


class FrameSelector:
    """Finds the frames of clips; never across the border of a scene.

    Args:
        scenes: (F,) scene identifiers; equal ones are adjacent.
        timestamps: (F,) seconds, not falling inside a scene.
        offsets: T strictly increasing offsets from the current sample, 0 among them.
        unit: 'samples', or 'seconds' for the frame nearest in time.
        tolerance: Largest difference in seconds between a wanted and a found time.

    Raises:
        InputError: If offsets or unit make no sense.
    """

    def __init__(
        self,
        scenes: np.ndarray,
        timestamps: np.ndarray,
        offsets: Sequence[float],
        unit: str = "samples",
        tolerance: float = 0.3,
    ) -> None:
        if 0 not in offsets or any(a >= b for a, b in pairwise(offsets)):
            raise InputError(f"frame_offsets must increase strictly and contain 0, but are {tuple(offsets)}")
        if unit not in ("samples", "seconds"):
            raise InputError(f"offset_unit must be 'samples' or 'seconds', not {unit!r}")
        if unit == "samples" and any(offset != int(offset) for offset in offsets):
            raise InputError(f"frame_offsets in samples must be whole numbers, but are {tuple(offsets)}")
        self.offsets = tuple(offsets)
        self.unit = unit
        self.tolerance = tolerance
        self.current = self.offsets.index(0)
        self._timestamps = timestamps
        borders = np.flatnonzero(scenes[1:] != scenes[:-1]) + 1
        lengths = np.diff(np.concatenate([[0], borders, [len(scenes)]]))
        self._begin = np.repeat(np.concatenate([[0], borders]), lengths)
        self._end = np.repeat(np.concatenate([borders, [len(scenes)]]), lengths)

    def rows(self, row: int) -> list[int | None]:
        """Rows of the T frames of the clip around `row`; None where the scene has no such frame."""
        find = self._by_count if self.unit == "samples" else self._by_time
        return [row if offset == 0 else find(row, offset) for offset in self.offsets]

    def _by_count(self, row: int, offset: float) -> int | None:
        target = row + int(offset)
        return target if self._begin[row] <= target < self._end[row] else None

    def _by_time(self, row: int, offset: float) -> int | None:
        begin, end = int(self._begin[row]), int(self._end[row])
        target = self._timestamps[row] + offset
        after = begin + int(np.searchsorted(self._timestamps[begin:end], target))
        candidates = [r for r in (after - 1, after) if begin <= r < end]
        nearest = min(candidates, key=lambda r: abs(self._timestamps[r] - target))
        return nearest if abs(self._timestamps[nearest] - target) <= self.tolerance else None


def nearest_to_current(rows: Sequence[int | None], current: int) -> list[int]:
    """For every frame, its own row, or that of the nearest frame that exists on the way to the current one."""
    filled = []
    for t in range(len(rows)):
        way = range(t, current + 1) if t <= current else range(t, current - 1, -1)
        filled.append(next(row for row in (rows[step] for step in way) if row is not None))
    return filled
