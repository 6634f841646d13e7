from __future__ import annotations

import numpy as np
import pytest
import torch

from bev.geometry.can_bus import can_bus_state, motion_of_can_bus, motion_of_poses, relative_can_bus
from bev.geometry.poses import rotation_z

# nuScenes' LiDAR looks to the left of the vehicle with its x axis: x right, y forward.
EGO_T_LIDAR = rotation_z(-np.pi / 2)


def pose(x: float, y: float, yaw: float) -> np.ndarray:
    matrix = rotation_z(yaw)
    matrix[:2, 3] = x, y
    return matrix


def batch(matrix: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(matrix)[None]


def test_the_state_of_a_pose() -> None:
    state = can_bus_state(pose(3.0, -2.0, -np.pi / 2), np.arange(9.0))
    np.testing.assert_allclose(state[:7], [3, -2, 0, np.sqrt(0.5), 0, 0, -np.sqrt(0.5)], atol=1e-12)
    np.testing.assert_allclose(state[7:16], np.arange(9))
    np.testing.assert_allclose(state[16:], [1.5 * np.pi, 270])


def test_the_relative_state_has_no_difference_without_a_previous_frame() -> None:
    states = torch.stack([torch.arange(18.0), torch.arange(18.0) + 1])
    previous = torch.zeros(2, 18)
    relative = relative_can_bus(states, previous, torch.tensor([True, False]))
    assert relative[0].tolist() == states[0].tolist()
    assert relative[1, [0, 1, 2, 17]].tolist() == [0, 0, 0, 0]
    assert torch.equal(relative[1, 3:17], states[1, 3:17])
    assert torch.equal(relative_can_bus(states, None, None)[1], relative[1])


@pytest.mark.parametrize("yaw", [0.0, 0.7, 2.5, -1.2])
def test_poses_and_can_bus_tell_the_same_motion(yaw: float) -> None:
    before, now = pose(10.0, 5.0, yaw), pose(11.5, 4.0, yaw + 0.1)
    states = [torch.from_numpy(can_bus_state(matrix))[None] for matrix in (before, now)]
    turn, way = motion_of_can_bus(relative_can_bus(states[1], states[0], torch.tensor([True])))
    expected_turn, expected_way = motion_of_poses(batch(now @ EGO_T_LIDAR), batch(before @ EGO_T_LIDAR))
    torch.testing.assert_close(turn, expected_turn)
    torch.testing.assert_close(way, expected_way)


def test_driving_forward_is_positive_along_y() -> None:
    turn, way = motion_of_poses(batch(pose(2.0, 0.0, 0.0) @ EGO_T_LIDAR), batch(pose(0.0, 0.0, 0.0) @ EGO_T_LIDAR))
    torch.testing.assert_close(way, torch.tensor([[0.0, 2.0]], dtype=torch.double), atol=1e-12, rtol=0)
    assert turn.abs().item() < 1e-12
