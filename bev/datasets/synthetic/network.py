"""The road network of a scene: a curved main road, up to two roads that cross it, and distances to all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from bev.datasets.synthetic.road import STEP, Path, Road, connect, integrate

CELL = 2.0
"""Spacing of the grids of road coordinates, metres; interpolated, a bend of 100 m radius is then right to 5 mm."""

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
        station: (R, rows, columns) float32, arc length s of each road at grid points x = column * CELL, y = row * CELL.
        offset: (R, rows, columns) float32, signed distance d.
    """

    roads: tuple[Road, ...]
    junctions: tuple[Junction, ...]
    station: np.ndarray
    offset: np.ndarray

    @property
    def extent(self) -> tuple[float, float]:
        """Size (x, y) of the world in metres."""
        rows, columns = self.station.shape[1:]
        return (columns - 1) * CELL, (rows - 1) * CELL

    def kerb_distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance (...) of points (..., 2) from the nearest kerb; negative on a carriageway."""
        cells = np.moveaxis(points[..., ::-1], -1, 0) / CELL
        distances = [
            np.abs(map_coordinates(offset, cells, order=1, mode="nearest")) - road.half_width
            for road, offset in zip(self.roads, self.offset, strict=True)
        ]
        return np.min(distances, axis=0)

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
    count = rng.choice(3, p=[0.2, 0.45, 0.35])
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
        Path(points),
        int(rng.choice([1, 2, 2, 3])),
        rng.uniform(3.3, 3.7),
        float(rng.choice([0.0, 2.4, 2.4])),
        rng.uniform(2.8, 4.5),
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
    road = Road(
        Path(points),
        int(rng.choice([1, 1, 2])),
        rng.uniform(3.2, 3.6),
        float(rng.choice([0.0, 2.4])),
        rng.uniform(2.5, 4.0),
    )
    return road, half * STEP


def _with_grid(roads: list[Road], junctions: list[Junction]) -> RoadNetwork:
    """Moves the world so that all coordinates are positive, and measures every grid point against every road."""
    main = roads[0].centre
    low = main.points.min(axis=0) - 15.0
    inner = main.between(REACH, REACH + EGO_STRETCH)
    low, high = (
        np.minimum(low, inner.min(axis=0) - REACH),
        np.maximum(main.points.max(axis=0) + 15.0, inner.max(axis=0) + REACH),
    )
    moved = [Road(Path(r.centre.points - low), r.lanes, r.lane_width, r.parking_width, r.sidewalk_width) for r in roads]
    columns, rows = np.ceil((high - low) / CELL).astype(int) + 1
    x, y = np.meshgrid(np.arange(columns) * CELL, np.arange(rows) * CELL)
    grid = np.stack([_road_coordinates(road.centre, np.stack([x, y], axis=-1)) for road in moved]).astype(np.float32)
    station, offset = np.ascontiguousarray(grid[:, 0]), np.ascontiguousarray(grid[:, 1])
    return RoadNetwork(tuple(moved), tuple(junctions), station, offset)


def _road_coordinates(centre: Path, points: np.ndarray) -> np.ndarray:
    """Arc length and signed offset (2, rows, columns) of points (rows, columns, 2) with respect to a centre line."""
    _, index = cKDTree(centre.points).query(points)
    heading = centre.headings[index]
    away = points - centre.points[index]
    along = np.cos(heading) * away[..., 0] + np.sin(heading) * away[..., 1]
    left = -np.sin(heading) * away[..., 0] + np.cos(heading) * away[..., 1]
    return np.stack([centre.stations[index] + along, left])
