"""The road network of a scene: a curved main road, up to two roads that cross it, and distances to all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .road import STEP, Path, Road, connect, integrate

CELL = 1.0
"""Spacing of the grids of road coordinates, metres."""

REACH = 130.0
"""How far the world extends beyond the part of the main road where ego drives, metres."""

EGO_STRETCH = 150.0
"""Length of the part of the main road on which ego may be, metres."""


@dataclass(frozen=True)
class Junction:
    """Where another road crosses the main road.

    Attributes:
        road: Number of the crossing road.
        main_station: Arc length of the crossing along the main road, metres.
        station: Arc length of the crossing along the crossing road, metres.
        main_is_green: Whether the main road's lights are green (the crossing road's are then red).
    """

    road: int
    main_station: float
    station: float
    main_is_green: bool


@dataclass(frozen=True)
class RoadNetwork:
    """Roads, where they cross, and their coordinates on a grid.

    Attributes:
        roads: The main road first.
        junctions: Crossings of the main road.
        origin: (2,) world position of grid cell (0, 0), metres.
        station: (R, rows, columns) float32, arc length s of each road at the grid points; rows run along y.
        offset: (R, rows, columns) float32, signed distance d.
    """

    roads: tuple[Road, ...]
    junctions: tuple[Junction, ...]
    origin: np.ndarray
    station: np.ndarray
    offset: np.ndarray

    @property
    def extent(self) -> tuple[float, float]:
        """Size (x, y) of the world in metres."""
        rows, columns = self.station.shape[1:]
        return (columns - 1) * CELL, (rows - 1) * CELL

    def kerb_distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance (...) of points (..., 2) from the nearest kerb; negative on a carriageway."""
        half_width = np.array([road.half_width for road in self.roads])
        return (np.abs(self._sample(self.offset, points)) - half_width[:, *[None] * (points.ndim - 1)]).min(axis=0)

    def _sample(self, field: np.ndarray, points: np.ndarray) -> np.ndarray:
        cells = np.rint((points - self.origin) / CELL).astype(int)
        column = np.clip(cells[..., 0], 0, field.shape[2] - 1)
        row = np.clip(cells[..., 1], 0, field.shape[1] - 1)
        return field[:, row, column]

    def stop_station(self, junction: Junction, along_main: bool, side: int) -> float:
        """Arc length on the lane path (main or crossing) at which a vehicle's front stops before a junction.

        Measured along the direction of travel of that side (-1: along +s, +1: against it).
        """
        road = self.roads[0 if along_main else junction.road]
        other = self.roads[junction.road if along_main else 0]
        station = junction.main_station if along_main else junction.station
        travelled = station if side < 0 else road.centre.length - station
        return travelled - other.half_width - 6.0

    def turn_path(self, junction: Junction, lane: int, turn: int) -> Path:
        """A path along the main road (+s) that turns into the crossing road.

        Args:
            junction: Where to turn.
            lane: Lane on the main road.
            turn: +1 to the left, -1 to the right.
        """
        main, other = self.roads[0], self.roads[junction.road]
        entry_lane = main.lane_path(lane, -1)
        side = -1 if turn > 0 else 1  # crossing roads run from right to left, seen along the main road
        exit_lane = other.lane_path(min(lane, other.lanes - 1), side)
        centre = main.centre.at(junction.main_station)[0]
        entry = entry_lane.nearest(centre) - other.half_width - 2.5
        leave = exit_lane.nearest(centre) + main.half_width + 2.5
        start, start_heading = entry_lane.at(entry)
        end, end_heading = exit_lane.at(leave)
        curve = connect(start, float(start_heading), end, float(end_heading))
        before = entry_lane.between(0.0, entry)[:-1]
        after = exit_lane.between(leave, exit_lane.length)[1:]
        return Path(np.concatenate([before, curve, after]))


def build_network(rng: np.random.Generator) -> RoadNetwork:
    """Draws a road network; the part of the main road for ego starts at arc length `REACH`."""
    stations = _junction_stations(rng)
    main = _main_road(rng, stations)
    roads, crossings = [main], []
    for station in stations:
        road, own_station = _crossing_road(rng, main, station)
        roads.append(road)
        crossings.append(Junction(len(roads) - 1, station, own_station, main_is_green=True))
    return _with_grid(roads, crossings)


def _junction_stations(rng: np.random.Generator) -> list[float]:
    first = REACH + rng.uniform(30.0, 75.0)
    count = rng.choice(3, p=[0.15, 0.5, 0.35])
    return [first, first + rng.uniform(85.0, 110.0)][:count]


def _main_road(rng: np.random.Generator, junction_stations: list[float]) -> Road:
    length = int((2 * REACH + EGO_STRETCH) / STEP)
    knots = np.arange(0, length + 60, 60)
    curvature = np.interp(np.arange(length), knots, rng.uniform(-1 / 110, 1 / 110, len(knots)) * rng.uniform(0.15, 1.0))
    for station in junction_stations:  # roads are nearly straight where they cross
        curvature *= 1.0 - 0.9 * np.exp(-(((np.arange(length) * STEP - station) / 28.0) ** 2))
    heading = rng.uniform(-np.pi, np.pi)
    points = integrate(np.zeros(2), heading - np.sum(curvature[: length // 2]) * STEP, curvature)
    return Road(
        Path(points), int(rng.choice([1, 2, 2, 3])), rng.uniform(3.3, 3.7), float(rng.choice([0.0, 2.4, 2.4])), rng.uniform(2.8, 4.5)
    )


def _crossing_road(rng: np.random.Generator, main: Road, main_station: float) -> tuple[Road, float]:
    """A road that crosses the main road from right to left, and the arc length of the crossing along it."""
    half = int((REACH + 20.0) / STEP)
    centre, heading = main.centre.at(main_station)
    across = float(heading) + np.pi / 2 + rng.uniform(-0.2, 0.2)
    bends = rng.uniform(-1 / 150, 1 / 150, 2)
    ramp = np.clip((np.arange(half) - 25) / 30.0, 0.0, 1.0)  # straight near the junction
    ahead = integrate(centre, across, ramp * bends[0])
    behind = integrate(centre, across + np.pi, ramp * bends[1])
    points = np.concatenate([behind[:0:-1], ahead])
    road = Road(Path(points), int(rng.choice([1, 1, 2])), rng.uniform(3.2, 3.6), float(rng.choice([0.0, 2.4])), rng.uniform(2.5, 4.0))
    return road, half * STEP


def _with_grid(roads: list[Road], junctions: list[Junction]) -> RoadNetwork:
    """Moves the world so that all coordinates are positive, and measures every grid point against every road."""
    main = roads[0].centre
    low = main.points.min(axis=0) - 15.0
    inner = main.between(REACH, REACH + EGO_STRETCH)
    low, high = np.minimum(low, inner.min(axis=0) - REACH), np.maximum(main.points.max(axis=0) + 15.0, inner.max(axis=0) + REACH)
    moved = [Road(Path(r.centre.points - low), r.lanes, r.lane_width, r.parking_width, r.sidewalk_width) for r in roads]
    columns, rows = np.ceil((high - low) / CELL).astype(int) + 1
    x, y = np.meshgrid(np.arange(columns) * CELL, np.arange(rows) * CELL)
    grids = [_road_coordinates(road.centre, np.stack([x, y], axis=-1)) for road in moved]
    station, offset = (np.stack(field).astype(np.float32) for field in zip(*grids))
    return RoadNetwork(tuple(moved), tuple(junctions), np.zeros(2), station, offset)


def _road_coordinates(centre: Path, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arc length and signed offset (rows, columns) of points (rows, columns, 2) with respect to a centre line."""
    from scipy.spatial import cKDTree

    _, index = cKDTree(centre.points).query(points)
    heading = centre.headings[index]
    away = points - centre.points[index]
    along = np.cos(heading) * away[..., 0] + np.sin(heading) * away[..., 1]
    left = -np.sin(heading) * away[..., 0] + np.cos(heading) * away[..., 1]
    return centre.stations[index] + along, left
