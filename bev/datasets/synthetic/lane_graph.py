"""The lanes of a road network as a graph: pieces between junctions, and the ways through junctions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.network import Junction, RoadNetwork
from bev.datasets.synthetic.road import Path, connect

STOP_GAP = 5.3
"""From the kerb of the crossing carriageway to the stop line, where lanes end; metres."""

TURN_GAP = 2.5
"""From that kerb to where turning vehicles leave their lane, as in `RoadNetwork.turn_path`; metres."""

_LEFT, _RIGHT = 1, -1


@dataclass(frozen=True)
class Approach:
    """Those who come to a junction from one side.

    Attributes:
        junction: Number of the junction.
        road: Number of their road.
        side: Their side of it (-1: along +s, +1: against it).
    """

    junction: int
    road: int
    side: int


@dataclass(frozen=True)
class Lane:
    """A lane between two junctions, or a way through one.

    Attributes:
        path: Centre in the direction of travel, world metres.
        successors: Numbers of the lanes that it leads into.
        approach: Of lanes that end at a junction, and of ways through it, those who take them; None for others.
        stretch: Road, side, and the arc lengths along `Road.lane_path` between which it runs; None for ways through
            junctions.
    """

    path: Path
    successors: tuple[int, ...]
    approach: Approach | None
    stretch: tuple[int, int, float, float] | None


@dataclass(frozen=True)
class _Crossing:
    """A junction on a lane's way: arc lengths of its middle and of the stretch that belongs to it."""

    junction: int
    middle: float
    stop: float
    leave: float


def lane_graph(network: RoadNetwork) -> list[Lane]:
    """All lanes of a network; those of roads first, in the order of road, side (-1, +1), lane and travel."""
    pieces: list[Lane] = []
    entering: dict[tuple[Approach, int], int] = {}
    leaving: dict[tuple[Approach, int], int] = {}
    for r, road in enumerate(network.roads):
        for side in (-1, 1):
            for k in range(road.lanes):
                path = road.lane_path(k, side)
                crossings = _crossings(network, r, path)
                begins = [0.0, *(crossing.leave for crossing in crossings)]
                ends = [*(crossing.stop for crossing in crossings), path.length]
                for n, (begin, end) in enumerate(zip(begins, ends, strict=True)):
                    approach = Approach(crossings[n].junction, r, side) if n < len(crossings) else None
                    if approach is not None:
                        entering[approach, k] = len(pieces)
                    if n:
                        leaving[Approach(crossings[n - 1].junction, r, side), k] = len(pieces)
                    pieces.append(Lane(Path(path.between(begin, end)), (), approach, (r, side, begin, end)))
    return _connected(network, pieces, entering, leaving)


def _connected(
    network: RoadNetwork,
    pieces: list[Lane],
    entering: dict[tuple[Approach, int], int],
    leaving: dict[tuple[Approach, int], int],
) -> list[Lane]:
    """The pieces with their successors, and after them the ways through junctions."""
    ways: list[Lane] = []
    successors: dict[int, list[int]] = {}
    for (approach, k), number in entering.items():
        for turn in _turns(network, approach, k):
            exit_side, exit_lane = _exit(network, approach, k, turn)
            target = leaving[exit_side, exit_lane]
            path = _way(network, approach, k, exit_side, exit_lane, turn)
            successors.setdefault(number, []).append(len(pieces) + len(ways))
            ways.append(Lane(path, (target,), approach, None))
    joined = [
        Lane(piece.path, tuple(successors.get(i, ())), piece.approach, piece.stretch) for i, piece in enumerate(pieces)
    ]
    return [*joined, *ways]


def _turns(network: RoadNetwork, approach: Approach, k: int) -> list[int]:
    """0 straight on; the innermost lane also turns left, the outermost right."""
    lanes = network.roads[approach.road].lanes
    return [0, *([_LEFT] if k == 0 else []), *([_RIGHT] if k == lanes - 1 else [])]


def _exit(network: RoadNetwork, approach: Approach, k: int, turn: int) -> tuple[Approach, int]:
    """Where a turn leads: junction, road and side, and the lane."""
    if not turn:
        return approach, k
    junction = network.junctions[approach.junction]
    other = junction.road if approach.road == 0 else 0
    # Headings in quarter turns from that of the main road; the crossing road runs from its right to its left.
    heading = (0 if approach.road == 0 else 1) + (0 if approach.side < 0 else 2) + turn
    side = -1 if (heading - (0 if other == 0 else 1)) % 4 == 0 else 1
    return Approach(approach.junction, other, side), min(k, network.roads[other].lanes - 1)


def _way(network: RoadNetwork, entry: Approach, k: int, leave: Approach, exit_lane: int, turn: int) -> Path:
    first, second = network.roads[entry.road], network.roads[leave.road]
    incoming, outgoing = first.lane_path(k, entry.side), second.lane_path(exit_lane, leave.side)
    start, end = (
        next(crossing for crossing in _crossings(network, side.road, path) if crossing.junction == side.junction)
        for side, path in ((entry, incoming), (leave, outgoing))
    )
    if not turn:
        return Path(incoming.between(start.stop, start.leave))
    inner = start.middle - second.half_width - TURN_GAP, end.middle + first.half_width + TURN_GAP
    (begin, begin_heading), (finish, finish_heading) = incoming.at(inner[0]), outgoing.at(inner[1])
    curve = connect(begin, float(begin_heading), finish, float(finish_heading))
    before, after = incoming.between(start.stop, inner[0])[:-1], outgoing.between(inner[1], end.leave)[1:]
    return Path(np.concatenate([before, curve, after]))


def _crossings(network: RoadNetwork, road: int, path: Path) -> list[_Crossing]:
    """Junctions along a lane, in the order of travel."""
    found = []
    for number, junction in enumerate(network.junctions):
        if road in (0, junction.road):
            other = network.roads[junction.road if road == 0 else 0]
            middle = path.nearest(_centre(network, junction))
            reach = other.half_width + STOP_GAP
            found.append(_Crossing(number, middle, middle - reach, middle + reach))
    return sorted(found, key=lambda crossing: crossing.middle)


def _centre(network: RoadNetwork, junction: Junction) -> np.ndarray:
    return network.roads[0].centre.at(junction.main_station)[0]
