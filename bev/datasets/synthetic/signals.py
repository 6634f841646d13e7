"""Traffic lights and signs of the scenery: what they say, whom they tell it, and how large they are in an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.lane_graph import Approach, Lane
from bev.datasets.synthetic.network import RoadNetwork
from bev.datasets.synthetic.parts import Parts

LIGHT, SIGN = 1, 2
"""Categories of OpenLane-V2."""


@dataclass(frozen=True)
class Signal:
    """A head of a traffic light, or a sign.

    Attributes:
        category: `LIGHT` or `SIGN`.
        meaning: Name of the attribute in OpenLane-V2.
        rows: First and end row among the scenery's parts: what is to be seen of it, without its mast.
        yaw: Direction that it faces, radians.
        road: Number of the road along which it stands.
        side: Side of the road whose traffic it tells (-1: along +s, +1: against it).
        approach: Of a light, those whom it tells; None for signs.
    """

    category: int
    meaning: str
    rows: tuple[int, int]
    yaw: float
    road: int
    side: int
    approach: Approach | None = None

    def place(self, scenery: Parts) -> np.ndarray:
        """Its centre (3,) in the world, metres."""
        return scenery.centre[slice(*self.rows)].mean(axis=0)


def governed(signal: Signal, lanes: list[Lane], network: RoadNetwork, scenery: Parts) -> list[int]:
    """Numbers of the lanes that a signal governs.

    A light governs the lanes that end at its stop line and the ways from there through the junction, a sign the lanes
    beside which it stands.
    """
    if signal.approach is not None:
        return [i for i, lane in enumerate(lanes) if lane.approach == signal.approach]
    road = network.roads[signal.road]
    travelled = road.lane_path(0, signal.side).nearest(signal.place(scenery)[:2])
    found = []
    for i, lane in enumerate(lanes):
        if lane.stretch is not None:
            number, side, begin, end = lane.stretch
            if (number, side) == (signal.road, signal.side) and begin <= travelled <= end:
                found.append(i)
    return found
