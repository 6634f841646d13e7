"""What stands beside the roads and isn't annotated: houses, trees, hedges, lamps, signs and traffic lights."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.bodies import street
from bev.datasets.synthetic.lane_graph import Approach
from bev.datasets.synthetic.network import RoadNetwork
from bev.datasets.synthetic.parts import Parts
from bev.datasets.synthetic.road import Road
from bev.datasets.synthetic.signals import LIGHT, SIGN, Signal
from bev.datasets.synthetic.traffic import Footprints

_TO_TRAFFIC = np.pi
"""Lamps and signs face the traffic that comes towards them."""


class Scenery:
    """Collects static parts, each on ground that nothing else takes.

    Attributes:
        rng: Source of randomness.
        network: Roads.
        footprints: Ground taken by the actors, and by the scenery so far.
        signals: Traffic lights and signs placed so far.
    """

    def __init__(self, rng: np.random.Generator, network: RoadNetwork, footprints: Footprints, samples: int) -> None:
        self.rng = rng
        self.network = network
        self.footprints = footprints
        self.signals: list[Signal] = []
        self._samples = samples
        self._groups: list[Parts] = []

    def add(self, body: list, position: np.ndarray, yaw: float, size: tuple[float, float], kerb: float | None) -> bool:
        """Places a body if its ground is free.

        Args:
            body: Parts in its own frame.
            position: (2,) metres.
            yaw: Radians.
            size: Length and width of the ground that it takes, metres.
            kerb: Least distance of its outline from all kerbs, metres; None to skip this check.
        """
        if kerb is not None and self.network.kerb_distance(_outline(position, yaw, size)).min() < kerb:
            return False
        centres = np.repeat(position[None], self._samples, axis=0)
        yaws = np.full(self._samples, float(yaw))
        if not self.footprints.is_free(centres, yaws, size, 0.2, 0.2):
            return False
        self.footprints.add(centres, yaws, size)
        self._groups.append(Parts.build(body, seed=int(self.rng.integers(1 << 16))).placed((*position, 0.0), yaw))
        return True

    def signal(self, category: int, meaning: str, rows: tuple[int, int], yaw: float, side: Approach) -> None:
        """Notes that parts of the body that was placed last are a signal.

        Args:
            category: `LIGHT` or `SIGN`.
            meaning: Name of an attribute of OpenLane-V2.
            rows: First and end row among the body's parts.
            yaw: Direction that it faces, radians.
            side: Whom it tells; the junction is that of a light.
        """
        first = sum(len(group) for group in self._groups[:-1])
        approach = side if category == LIGHT else None
        self.signals.append(
            Signal(category, meaning, (first + rows[0], first + rows[1]), yaw, side.road, side.side, approach)
        )

    def parts(self) -> Parts:
        """Everything placed."""
        return Parts.concatenate(self._groups)


def _outline(position: np.ndarray, yaw: float, size: tuple[float, float]) -> np.ndarray:
    """Points (25, 2) spread over an oriented rectangle."""
    steps = np.linspace(-0.5, 0.5, 5)
    x, y = np.meshgrid(steps * size[0], steps * size[1])
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return position + np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1).reshape(-1, 2)


def build_scenery(
    rng: np.random.Generator, network: RoadNetwork, footprints: Footprints, samples: int, station: float
) -> tuple[Parts, tuple[Signal, ...]]:
    """Furnishes the surroundings of the part of the main road near arc length `station`; also gives their signals."""
    scenery = Scenery(rng, network, footprints, samples)
    _traffic_lights(scenery)
    town = rng.uniform(0.15, 1.0)
    for number, road in enumerate(network.roads):
        middle = station + 35.0 if number == 0 else road.centre.length / 2
        stretch = (middle - 125.0, middle + 125.0)
        _lamps_and_signs(scenery, number, stretch)
        _houses(scenery, road, stretch, town)
        _trees(scenery, road, stretch, 1.2 - 0.7 * town)
    _horizon(scenery, network.roads[0].centre.at(station + 35.0)[0])
    return scenery.parts(), tuple(scenery.signals)


def _beside(road: Road, station: float, offset: float) -> tuple[np.ndarray, float]:
    position, heading = road.centre.at(station)
    return position + offset * np.array([-np.sin(heading), np.cos(heading)]), float(heading)


def _traffic_lights(scenery: Scenery) -> None:
    """One mast per approach, on the right beyond the junction."""
    main = scenery.network.roads[0]
    for number, junction in enumerate(scenery.network.junctions):
        other = scenery.network.roads[junction.road]
        green, red = ("green", "red") if junction.main_is_green else ("red", "green")
        approaches = ((0, junction.main_station, other, green), (junction.road, junction.station, main, red))
        for coming, station, crossed, state in approaches:
            road = scenery.network.roads[coming]
            for side in (-1, 1):
                beyond = station - side * (crossed.half_width + 2.0)
                place, heading = _beside(road, beyond, side * (road.half_width + 0.7))
                turn = heading + (_TO_TRAFFIC if side < 0 else 0.0)
                reach = 0.55 * road.half_width + 1.0
                if scenery.add(street.traffic_light(state, reach), place, turn, (0.3, 0.3), None):
                    for rows in street.LIGHT_HEADS:
                        scenery.signal(LIGHT, state, rows, turn, Approach(number, coming, side))


def _lamps_and_signs(scenery: Scenery, number: int, stretch: tuple[float, float]) -> None:
    rng, road = scenery.rng, scenery.network.roads[number]
    height = rng.uniform(6.5, 8.5)
    for side in (-1, 1):
        for station in np.arange(stretch[0] + rng.uniform(0, 30), stretch[1], rng.uniform(26.0, 40.0)):
            place, heading = _beside(road, station, side * (road.half_width + 0.55))
            scenery.add(street.street_lamp(height), place, heading - side * np.pi / 2, (0.3, 0.3), 0.3)
        for station in rng.uniform(*stretch, 6):
            place, heading = _beside(road, station, side * (road.half_width + 0.6))
            turn = heading + (_TO_TRAFFIC if side < 0 else 0.0)
            body = street.sign(rng)
            if scenery.add(body, place, turn, (0.2, 0.6), 0.2):
                scenery.signal(SIGN, street.SIGN_FACES[body[1].colour], (1, 2), turn, Approach(-1, number, side))


def _houses(scenery: Scenery, road: Road, stretch: tuple[float, float], density: float) -> None:
    rng = scenery.rng
    for side in (-1, 1):
        setback = rng.uniform(0.6, 7.0)
        station = stretch[0]
        while station < stretch[1]:
            length, depth = rng.uniform(9.0, 26.0), rng.uniform(9.0, 18.0)
            middle = station + length / 2
            if rng.random() < density:
                place, heading = _beside(
                    road, middle, side * (road.half_width + road.sidewalk_width + setback + depth / 2)
                )
                scenery.add(
                    street.house(rng, length, depth), place, heading, (length, depth), road.sidewalk_width + 0.3
                )
            station += length + rng.uniform(0.5, 6.0)


def _trees(scenery: Scenery, road: Road, stretch: tuple[float, float], density: float) -> None:
    rng = scenery.rng
    for side in (-1, 1):
        row = road.half_width + road.sidewalk_width - 0.5
        for station in np.arange(stretch[0], stretch[1], rng.uniform(8.0, 13.0)):
            if rng.random() < 0.6 * density:
                place, _ = _beside(road, station + rng.uniform(-1, 1), side * row)
                scenery.add(street.tree(rng), place, rng.uniform(0, np.pi), (0.7, 0.7), 1.5)
            if rng.random() < density:
                place, _ = _beside(road, station, side * (row + rng.uniform(3.0, 30.0)))
                scenery.add(street.tree(rng), place, rng.uniform(0, np.pi), (0.7, 0.7), 3.0)
            if rng.random() < 0.25 * density:
                place, heading = _beside(road, station, side * (row + 1.3))
                length = rng.uniform(4.0, 9.0)
                scenery.add(street.hedge(rng, length), place, heading, (length, 0.9), 1.5)


def _horizon(scenery: Scenery, centre: np.ndarray) -> None:
    """Large buildings and woods far away, so that the ground doesn't end in the sky."""
    rng = scenery.rng
    for angle in np.arange(0.0, 2 * np.pi, 0.085):
        distance = rng.uniform(130.0, 210.0)
        place = centre + distance * np.array([np.cos(angle), np.sin(angle)])
        if rng.random() < 0.5:
            width = rng.uniform(14.0, 30.0)
            scenery.add(street.house(rng, width, 14.0), place, angle + np.pi / 2, (width, 14.0), 8.0)
        else:
            for step in rng.normal(0.0, 6.0, (3, 2)):
                scenery.add(street.tree(rng), place + step, 0.0, (2.0, 2.0), 6.0)
