"""Who is on and beside the road: traffic, queues, parked vehicles, road works, cyclists and pedestrians.

Every function offers objects to a `Population`, which keeps those that never touch what is there already. Rare classes
are offered more often than on real streets, so that a few dozen scenes suffice to learn them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bev.datasets.synthetic.actors import KINDS
from bev.datasets.synthetic.network import Junction, RoadNetwork
from bev.datasets.synthetic.road import Path, Road
from bev.datasets.synthetic.scene import Actor
from bev.datasets.synthetic.traffic import SUBSTEPS, Footprints, drive, sample_times

RANGE = 65.0
"""Objects that never come this close to ego are not made, metres."""

EGO_SIZE = (4.30, 1.85)
"""Length and width that ego takes, metres."""

EGO_CENTRE = 1.35
"""Centre of the ego vehicle in front of the origin of the ego frame, metres."""

_TRAFFIC = ("sedan", "suv", "van", "pickup", "lorry", "bus", "motorcyclist", "cyclist")
_TRAFFIC_SHARES = np.array([0.24, 0.22, 0.08, 0.05, 0.15, 0.09, 0.12, 0.05])
_PARKED = ("sedan", "suv", "van", "pickup", "lorry", "trailer", "motorcycle", "bus", "digger")
_PARKED_SHARES = np.array([0.29, 0.21, 0.09, 0.05, 0.06, 0.12, 0.10, 0.03, 0.05])


class Population:
    """Objects placed so far, and the means to place more.

    Attributes:
        rng: Source of randomness.
        network: Roads.
        times: (S,) seconds.
        ego: (S, 2) positions of ego, metres.
        footprints: Ground taken.
        actors: Objects placed.
    """

    def __init__(
        self, rng: np.random.Generator, network: RoadNetwork, frames: int, ego_path: Path, travel: np.ndarray
    ) -> None:
        self.rng = rng
        self.network = network
        self.times = sample_times(frames)
        self.ego, yaws = ego_path.at(travel)
        self.footprints = Footprints(len(self.times))
        forward = np.stack([np.cos(yaws), np.sin(yaws)], axis=1)
        self.footprints.add(self.ego + EGO_CENTRE * forward, yaws, EGO_SIZE)
        self.actors: list[Actor] = []

    @property
    def main_station(self) -> float:
        """Arc length on the main road near which ego starts, metres."""
        return self.network.roads[0].centre.nearest(self.ego[0])

    def move(
        self,
        name: str,
        path: Path,
        travel: np.ndarray,
        ahead: float = 1.5,
        size: tuple[float, float, float] | None = None,
    ) -> bool:
        """Offers an object that follows a path: distances `travel` (S,) along it, metres."""
        centres, yaws = path.at(travel)
        return self._offer(name, centres, yaws, ahead, False, size)

    def stand(self, name: str, position: np.ndarray, yaw: float, room: float = 0.25) -> bool:
        """Offers an object that stays at a position (2,) with a heading (radians)."""
        samples = len(self.times)
        return self._offer(
            name, np.repeat(position[None], samples, axis=0), np.full(samples, float(yaw)), room, True, None
        )

    def _offer(
        self,
        name: str,
        centres: np.ndarray,
        yaws: np.ndarray,
        ahead: float,
        parked: bool,
        size: tuple[float, float, float] | None,
    ) -> bool:
        kind = KINDS[name]
        size = size or kind.draw_size(self.rng)
        if np.linalg.norm(centres - self.ego, axis=1).min() > RANGE:
            return False
        if not self.footprints.is_free(centres, yaws, size, ahead, 0.12 if kind.category.startswith("human") else 0.3):
            return False
        self.footprints.add(centres, yaws, size)
        owner = len(self.actors)
        attributes = _attributes(name, kind.category, centres, self.times, parked)[::SUBSTEPS]
        bodies = kind.draw_body(self.rng, size, owner)
        self.actors.append(
            Actor(owner, kind.category, size, bodies, centres[::SUBSTEPS], yaws[::SUBSTEPS], tuple(attributes))
        )
        return True


def _attributes(name: str, category: str, centres: np.ndarray, times: np.ndarray, parked: bool) -> list[str]:
    """nuScenes attribute at each time sample."""
    count = len(times)
    if category.startswith("movable_object"):
        return [""] * count
    if name in ("cyclist", "motorcyclist", "bicycle", "motorcycle"):
        return ["cycle.with_rider" if name.endswith("cyclist") else "cycle.without_rider"] * count
    moving = np.zeros(count, dtype=bool)
    if count > 1:
        moving = np.linalg.norm(np.gradient(centres, times, axis=0), axis=1) > 0.3
    still = {"human": "pedestrian.standing", "vehicle": "vehicle.parked" if parked else "vehicle.stopped"}
    group = category.split(".")[0]
    noun = "pedestrian" if group == "human" else "vehicle"
    return [f"{noun}.moving" if now else still[group] for now in moving]


def populate(population: Population, ego_lane: int) -> None:
    """Fills a population; what must be there comes first."""
    for _ in range(population.rng.integers(1, 3)):
        road_works(population, ego_lane)
    for junction in population.network.junctions:
        queues(population, junction)
        crossing_people(population, junction)
    lane_traffic(population)
    parked_vehicles(population)
    people(population)


def lane_traffic(population: Population) -> None:
    """Moving vehicles in all lanes of the main road, and on the crossing roads away from it."""
    rng, main = population.rng, population.network.roads[0]
    for side in (-1, 1):
        for lane in range(main.lanes):
            path, flow = main.lane_path(lane, side), rng.uniform(5.0, 11.0)
            here = population.main_station if side < 0 else path.length - population.main_station
            for start in here + rng.permutation(np.arange(-45.0, 70.0, 14.0) + rng.uniform(-5, 5)) * 1.0:
                if rng.random() < 0.72:
                    _vehicle(population, path, start - (30.0 if side > 0 else 0.0), flow * rng.uniform(0.9, 1.1))
        _cyclists(population, main, side)
    for junction in population.network.junctions:
        road = population.network.roads[junction.road]
        for side in (-1, 1):
            path = road.lane_path(0, side)
            middle = junction.station if side < 0 else path.length - junction.station
            for start in middle + rng.uniform(16.0, 60.0, 2):
                _vehicle(population, path, start, rng.uniform(5.0, 9.0))


def _vehicle(population: Population, path: Path, start: float, cruise: float) -> None:
    rng = population.rng
    name = str(rng.choice(_TRAFFIC, p=_TRAFFIC_SHARES))
    travel = drive(path, start, cruise * (0.6 if name == "cyclist" else 1.0), population.times)
    if name == "lorry" and rng.random() < 0.65:
        _semi_trailer(population, path, travel)
    else:
        population.move(name, path, travel)


def _semi_trailer(population: Population, path: Path, travel: np.ndarray) -> None:
    """A tractor with a trailer, if there is room for both."""
    rng = population.rng
    tractor, trailer = KINDS["tractor"].draw_size(rng), KINDS["trailer"].draw_size(rng)
    behind = (tractor[0] + trailer[0]) / 2 + 0.6
    centres, yaws = path.at(travel - behind)
    has_room = population.footprints.is_free(centres, yaws, trailer, 0.5)
    if has_room and population.move("tractor", path, travel, 0.3, tractor):
        population.move("trailer", path, travel - behind, 0.1, trailer)


def _cyclists(population: Population, road: Road, side: int) -> None:
    path = road.offset_path(side * (road.driving_half_width - 0.6), side)
    here = population.main_station if side < 0 else path.length - population.main_station
    for start in here + population.rng.uniform(-25.0, 60.0, 3):
        population.move("cyclist", path, drive(path, start, population.rng.uniform(2.5, 5.5), population.times), 0.8)


def queues(population: Population, junction: Junction) -> None:
    """Vehicles that wait for a green light on the crossing road."""
    rng, road = population.rng, population.network.roads[junction.road]
    for side in (-1, 1):
        for lane in range(road.lanes):
            path = road.lane_path(lane, side)
            place = population.network.stop_station(junction, False, side)
            for _ in range(rng.integers(0, 4)):
                name = str(rng.choice(_TRAFFIC, p=_TRAFFIC_SHARES))
                size = KINDS[name].draw_size(rng)
                arriving = drive(
                    path, place - size[0] / 2 - rng.choice([0.0, 0.0, 20.0]), 6.0, population.times, place - size[0] / 2
                )
                population.move(name, path, arriving, 0.5, size)
                place -= size[0] + rng.uniform(1.5, 3.5)


def parked_vehicles(population: Population) -> None:
    """Vehicles along the kerb and on plots beside the road."""
    rng, network = population.rng, population.network
    for number, road in enumerate(network.roads):
        middle = population.main_station + 30.0 if number == 0 else road.centre.length / 2
        for side in (-1, 1):
            density = rng.uniform(0.15, 0.6)
            for station in np.arange(middle - 75.0, middle + 85.0, 6.8):
                if rng.random() > density:
                    continue
                if road.parking_width > 0:
                    offset = side * (road.driving_half_width + road.parking_width / 2)
                    _park(population, road, station + rng.uniform(-0.5, 0.5), offset, 0.0 if side < 0 else np.pi)
                elif rng.random() < 0.5:
                    offset = side * (road.half_width + road.sidewalk_width + 4.2)
                    _park(population, road, station, offset, side * np.pi / 2 * rng.choice([-1, 1]))


def _park(population: Population, road: Road, station: float, offset: float, turn: float) -> None:
    position, heading = _place(road, station, offset)
    if min(_gaps_to_others(population.network, road, position), default=99.0) < 9.0:
        return  # keep junctions free
    name = str(population.rng.choice(_PARKED, p=_PARKED_SHARES))
    population.stand(name, position, heading + turn + population.rng.normal(0.0, 0.03))


def _place(road: Road, station: float, offset: float) -> tuple[np.ndarray, float]:
    """Position (2,) at road coordinates, and the road's heading there."""
    position, heading = road.centre.at(station)
    return position + offset * np.array([-np.sin(heading), np.cos(heading)]), float(heading)


def _gaps_to_others(network: RoadNetwork, road: Road, position: np.ndarray) -> list[float]:
    """Distances from a position to the kerbs of all roads but one."""
    others = [other for other in network.roads if other is not road]
    return [float(np.linalg.norm(other.centre.points - position, axis=1).min()) - other.half_width for other in others]


def road_works(population: Population, ego_lane: int) -> None:
    """A closed lane or a dug-up verge: cones and barriers around machines and workers."""
    rng, road = population.rng, population.network.roads[0]
    side = int(rng.choice([-1, 1]))
    outer_is_free = road.lanes > 1 and (side > 0 or ego_lane < road.lanes - 1)
    if outer_is_free and rng.random() < 0.6:
        inner, outer = road.driving_half_width - road.lane_width + 0.35, road.half_width - 0.3
    else:
        inner = road.half_width + 0.6
        outer = inner + max(road.sidewalk_width, 4.5)
    start = population.main_station + rng.uniform(5.0, 75.0)
    length = rng.uniform(16.0, 34.0)
    _fence(population, road, side, (start, start + length), (inner, outer))
    for name, share in (("digger", 0.85), ("lorry", 0.4), ("trailer", 0.5), ("digger", 0.3)):
        if rng.random() < share:
            place, heading = _place(
                road, rng.uniform(start + 4, start + length - 4), side * rng.uniform(inner + 1.6, outer)
            )
            population.stand(name, place, heading + rng.choice([0.0, np.pi]) + rng.normal(0.0, 0.15))
    for _ in range(rng.integers(1, 5)):
        place, _ = _place(road, rng.uniform(start, start + length), side * rng.uniform(inner + 0.5, outer))
        population.stand("worker", place, rng.uniform(-np.pi, np.pi))


def _fence(
    population: Population, road: Road, side: int, stations: tuple[float, float], offsets: tuple[float, float]
) -> None:
    """Cones that lead in and out, and barriers (or more cones) along the inner edge."""
    rng = population.rng
    with_barriers = rng.random() < 0.75
    step = 2.9 if with_barriers else rng.uniform(2.5, 4.0)
    for station in np.arange(stations[0], stations[1], step):
        place, heading = _place(road, station, side * offsets[0])
        if with_barriers and rng.random() < 0.9:
            population.stand("barrier", place, heading + np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.03), 0.05)
        else:
            population.stand("cone", place, rng.uniform(-np.pi, np.pi), 0.05)
    for share in np.linspace(0.0, 1.0, 6)[1:]:
        offset = offsets[0] + share * (offsets[1] - offsets[0])
        for station in (stations[0] - 1.8 - 9.0 * share, stations[1] + 1.5):
            place, _ = _place(road, station, side * offset)
            population.stand("cone", place, rng.uniform(-np.pi, np.pi), 0.05)


def people(population: Population) -> None:
    """Pedestrians on the sidewalks, in groups or alone, and bicycles leaning there."""
    rng, road = population.rng, population.network.roads[0]
    for side in (-1, 1):
        near, far = road.half_width + 0.5, road.half_width + road.sidewalk_width - 0.3
        for start in population.main_station + rng.uniform(-35.0, 85.0, rng.integers(3, 8)):
            direction = int(rng.choice([-1, 1]))
            path = road.offset_path(side * rng.uniform(near, far), direction)
            begin = start if direction < 0 else path.length - start
            speed = rng.uniform(0.7, 1.7)
            name = str(rng.choice(["walker", "walker", "walker", "child"]))
            population.move(name, path, begin + speed * population.times, 0.1)
        for _ in range(rng.integers(0, 3)):
            _group(population, road, side, near, far)
        for _ in range(rng.integers(1, 3)):
            _bicycles(population, road, side, near)


def _group(population: Population, road: Road, side: int, near: float, far: float) -> None:
    rng = population.rng
    station, offset = population.main_station + rng.uniform(-20.0, 70.0), rng.uniform(near, far)
    for _ in range(rng.integers(1, 4)):
        place, _ = _place(road, station + rng.normal(0, 0.9), side * (offset + rng.normal(0, 0.4)))
        population.stand("stander", place, rng.uniform(-np.pi, np.pi), 0.05)


def _bicycles(population: Population, road: Road, side: int, near: float) -> None:
    rng = population.rng
    station = population.main_station + rng.uniform(-20.0, 70.0)
    name = str(rng.choice(["bicycle", "bicycle", "motorcycle"]))
    for number in range(rng.integers(1, 5)):
        place, heading = _place(road, station + 1.1 * number, side * (near + 0.7))
        population.stand(name, place, heading + np.pi / 2 + rng.normal(0, 0.12), 0.05)


def crossing_people(population: Population, junction: Junction) -> None:
    """Pedestrians on the zebra crossings of the crossing road, and some who wait."""
    rng, network = population.rng, population.network
    main, other = network.roads[0], network.roads[junction.road]
    for side in (-1, 1):
        for _ in range(rng.integers(0, 4)):
            direction = int(rng.choice([-1, 1]))
            path = main.offset_path(side * (main.half_width + rng.uniform(1.9, 4.1)), direction)
            middle = junction.main_station if direction < 0 else path.length - junction.main_station
            speed = rng.uniform(0.9, 1.6)
            begin = middle - other.half_width * rng.uniform(-0.3, 1.0)
            begin -= speed * rng.uniform(0.0, population.times[-1] + 0.1)
            population.move("walker", path, begin + speed * population.times, 0.1)
        corner = _corner(main, other, junction, side, rng)
        for _ in range(rng.integers(0, 3)):
            population.stand("stander", corner + rng.normal(0, 0.7, 2), rng.uniform(-np.pi, np.pi), 0.05)


def _corner(main: Road, other: Road, junction: Junction, side: int, rng: np.random.Generator) -> np.ndarray:
    along: Sequence[int] = (-1, 1)
    station = junction.main_station + float(rng.choice(along)) * (other.half_width + 3.5)
    return _place(main, station, side * (main.half_width + 3.0))[0]
