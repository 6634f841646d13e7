"""Stable identities by greedy matching of centres (CenterPoint, arXiv 2006.11275, section 4.3).

Shapes: M detections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bev.inference.detections import Detections

# How far, in metres, an object of each class may be from where its velocity led it: CenterPoint's published values, the
# 99th percentile of velocity errors of nuScenes' classes. The classes of nuScenes' tracking challenge.
MATCH_DISTANCES = {
    "car": 4.0,
    "truck": 4.0,
    "bus": 5.5,
    "trailer": 3.0,
    "pedestrian": 1.0,
    "motorcycle": 13.0,
    "bicycle": 3.0,
}


@dataclass
class _Track:
    """An object that has been seen before."""

    identity: int
    name: str
    position: np.ndarray
    velocity: np.ndarray
    time: float


class GreedyTracker:
    """Matches detections to tracks: the best detection first, each to the nearest track of its class.

    Detections are carried back to the time of the last one of a track by their own velocity. Tracks that nothing
    matches live on, standing where they were, for a while.

    Args:
        distances: Largest distance of a match per class, metres; other classes get no identity (-1).
        max_age: Seconds that a track lives without a match.
        min_score: Detections below it neither match nor begin a track.
    """

    def __init__(
        self, distances: Mapping[str, float] | None = None, max_age: float = 1.6, min_score: float = 0.0
    ) -> None:
        self.distances = dict(MATCH_DISTANCES if distances is None else distances)
        self.max_age, self.min_score = max_age, min_score
        self._tracks: list[_Track] = []
        self._next = 0

    def reset(self) -> None:
        """Forget all tracks; identities go on counting, so that none comes back."""
        self._tracks = []

    def update(self, found: Detections) -> np.ndarray:
        """Identities (M,) of the detections of the next moment, -1 for those that get none."""
        self._tracks = [track for track in self._tracks if found.timestamp - track.time <= self.max_age]
        identities = np.full(len(found), -1, dtype=np.int64)
        free = list(self._tracks)
        for index in np.argsort(-found.scores, kind="stable"):
            name = found.names[index]
            if name not in self.distances or found.scores[index] < self.min_score:
                continue
            track = self._match(free, found, index)
            if track is None:
                track = _Track(self._next, name, np.zeros(2), np.zeros(2), found.timestamp)
                self._next += 1
                self._tracks.append(track)
            else:
                free.remove(track)
            track.position, track.velocity = found.boxes_global[index, :2], found.boxes_global[index, 7:9]
            track.time = found.timestamp
            identities[index] = track.identity
        return identities

    def _match(self, free: list[_Track], found: Detections, index: int) -> _Track | None:
        """The nearest track of the class within reach."""
        name, box = found.names[index], found.boxes_global[index]
        best, nearest = None, self.distances[name]
        for track in free:
            if track.name != name:
                continue
            before = box[:2] - np.nan_to_num(box[7:9]) * (found.timestamp - track.time)
            distance = float(np.hypot(*(before - track.position)))
            if distance <= nearest:
                best, nearest = track, distance
        return best
