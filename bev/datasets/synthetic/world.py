"""Puts a scene together: roads, ego's route, everyone else, the scenery, the light and the sensors."""

from __future__ import annotations

import numpy as np

from bev.datasets.synthetic.ground import ground_map
from bev.datasets.synthetic.network import REACH, Junction, RoadNetwork, build_network
from bev.datasets.synthetic.population import Population, populate
from bev.datasets.synthetic.rig import draw_rig
from bev.datasets.synthetic.road import Path
from bev.datasets.synthetic.scene import Scene
from bev.datasets.synthetic.scenery import build_scenery
from bev.datasets.synthetic.shadows import static_shadows
from bev.datasets.synthetic.traffic import SUBSTEPS, drive, sample_times
from bev.datasets.synthetic.weather import draw_weather
from bev.errors import InputError


def build_scene(name: str, seed: tuple[int, ...], frames: int, image_size: tuple[int, int]) -> Scene:
    """Builds a scene; the same arguments give the same scene.

    Args:
        name: Unique name.
        seed: Numbers that decide everything.
        frames: Number of key frames, at 2 Hz.
        image_size: Width and height of the cameras, pixels.

    Raises:
        InputError: `frames` is not positive.
    """
    if frames < 1:
        raise InputError(f"a scene needs at least 1 frame, got {frames}")
    rng = np.random.default_rng(seed)
    network = build_network(rng)
    path, travel, lane, route = _ego_route(rng, network, frames)
    population = Population(rng, network, frames, path, travel)
    populate(population, lane)
    scenery, signals = build_scenery(
        rng, network, population.footprints, len(population.times), population.main_station
    )
    weather = draw_weather(rng)
    positions, yaws = path.at(travel[::SUBSTEPS])
    return Scene(
        name=name,
        description=f"{route}, {weather.description}, {len(population.actors)} objects",
        network=network,
        ground=ground_map(network, rng),
        weather=weather,
        rig=draw_rig(rng, image_size),
        actors=tuple(population.actors),
        scenery=scenery,
        signals=signals,
        shadows=static_shadows(network.extent, scenery, weather.light.sun),
        ego_positions=positions,
        ego_yaws=yaws,
        seed=(*seed, 1),
    )


def _ego_route(rng: np.random.Generator, network: RoadNetwork, frames: int) -> tuple[Path, np.ndarray, int, str]:
    """Ego's path, its distances along it (S,), its lane, and words for the description."""
    main = network.roads[0]
    lane = int(rng.integers(main.lanes))
    times = sample_times(frames)
    cruise = rng.uniform(4.5, 10.0)
    start = REACH + rng.uniform(0.0, 25.0)
    turn = int(rng.choice([0, 0, 1, -1])) if network.junctions else 0
    if not turn:
        path = main.lane_path(lane, -1)
        return path, drive(path, start, cruise, times), lane, "straight on"
    lane = 0 if turn > 0 else main.lanes - 1
    junction: Junction = network.junctions[0]
    path = network.turn_path(junction, lane, turn)
    before = rng.uniform(14.0, 34.0) + network.roads[junction.road].half_width
    travel = drive(path, junction.main_station - before, cruise, times)
    return path, travel, lane, "left turn" if turn > 0 else "right turn"
