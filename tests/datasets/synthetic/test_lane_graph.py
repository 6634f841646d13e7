from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.synthetic.lane_graph import lane_graph
from bev.datasets.synthetic.network import RoadNetwork, build_network


@pytest.fixture(scope="module", params=range(6))
def network(request: pytest.FixtureRequest) -> RoadNetwork:
    return build_network(np.random.default_rng(request.param))


def test_lanes_end_where_their_successors_begin_and_go_on_in_the_same_direction(network: RoadNetwork) -> None:
    lanes = lane_graph(network)
    for lane in lanes:
        for successor in (lanes[i] for i in lane.successors):
            assert np.linalg.norm(lane.path.points[-1] - successor.path.points[0]) < 1e-6
            turn = lane.path.headings[-1] - successor.path.headings[0]
            assert abs((turn + np.pi) % (2 * np.pi) - np.pi) < 0.05


def test_every_lane_of_a_junction_is_reached_and_left(network: RoadNetwork) -> None:
    lanes = lane_graph(network)
    reached = {i for lane in lanes for i in lane.successors}
    ways = [i for i, lane in enumerate(lanes) if lane.stretch is None]
    assert set(ways) <= reached and all(len(lanes[i].successors) == 1 for i in ways)
    for i, lane in enumerate(lanes):
        if lane.stretch is not None:
            assert bool(lane.successors) == (lane.approach is not None)
            assert (i in reached) == (lane.stretch[2] > 0)


def test_ways_of_the_ego_vehicle_are_lanes(network: RoadNetwork) -> None:
    """Turning paths of the traffic run along lanes and ways through junctions."""
    points = np.concatenate([lane.path.at(np.arange(0, lane.path.length, 0.2))[0] for lane in lane_graph(network)])
    for junction in network.junctions:
        for turn, lane in ((1, 0), (-1, network.roads[0].lanes - 1)):
            path = network.turn_path(junction, lane, turn)
            stations = np.arange(junction.main_station - 30, junction.main_station + 30, 1.0)
            gaps = np.linalg.norm(path.at(stations)[0][:, None] - points, axis=-1).min(axis=1)
            assert gaps.max() < 0.15


def test_turns_go_left_and_right(network: RoadNetwork) -> None:
    lanes = lane_graph(network)
    for lane in lanes:
        turns = [lanes[i].path.headings[-1] - lanes[i].path.headings[0] for i in lane.successors if lane.stretch]
        if turns:
            assert max(turns) < 2.0 and min(turns) > -2.0
            assert any(abs(turn) < 0.5 for turn in turns)  # straight on is always possible
