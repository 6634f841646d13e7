"""The vehicle's state as BEVFormer v1 takes it: 18 numbers, named after the bus that some of them come from.

0:3 position in the global frame, metres; 3:7 orientation in it, quaternion w, x, y, z; 7:10 acceleration, m/s^2; 10:13
rotation rate, rad/s; 13:16 velocity, m/s, all three in the vehicle's frame; 16 yaw in the global frame, radians, and 17
the same in degrees. All but the three measurements follow from the vehicle's pose.

A model sees the state relative to the previous frame: position (0:3) and yaw in degrees (17) become differences, and 0
where there is no previous frame. The rest stays absolute, as in the published training.
"""

from __future__ import annotations

import numpy as np
import torch
from pyquaternion import Quaternion
from torch import Tensor

CAN_BUS_SIZE = 18
POSITION = slice(0, 3)
MEASUREMENTS = slice(7, 16)
YAW, YAW_DEGREES = 16, 17


def can_bus_state(global_T_ego: np.ndarray, measurements: np.ndarray | None = None) -> np.ndarray:
    """The state at one moment, absolute.

    Args:
        global_T_ego: (4, 4) pose of the vehicle.
        measurements: (9,) acceleration, rotation rate and velocity; None where the bus was not recorded, which the
            published models were fed as zeros.

    Returns:
        (18,) float64, yaw in [0, 2 pi).
    """
    state = np.zeros(CAN_BUS_SIZE)
    state[POSITION] = global_T_ego[:3, 3]
    # The tolerance is that of rotations that were stored in single precision.
    state[3:7] = Quaternion(matrix=global_T_ego[:3, :3], rtol=1e-4, atol=1e-5).elements
    if measurements is not None:
        state[MEASUREMENTS] = measurements
    state[YAW] = np.arctan2(global_T_ego[1, 0], global_T_ego[0, 0]) % (2 * np.pi)
    state[YAW_DEGREES] = np.degrees(state[YAW])
    return state


def relative_can_bus(state: Tensor, previous: Tensor | None, valid: Tensor | None) -> Tensor:
    """The state relative to the previous frame's.

    Args:
        state: (B, 18) absolute.
        previous: (B, 18) absolute, of the previous frame; None where no sample has one.
        valid: (B,) bool, which samples have a previous frame.

    Returns:
        (B, 18).
    """
    relative = state.clone()
    before = state if previous is None or valid is None else torch.where(valid[:, None], previous, state)
    relative[:, POSITION] -= before[:, POSITION]
    relative[:, YAW_DEGREES] -= before[:, YAW_DEGREES]
    return relative


def motion_of_can_bus(relative: Tensor) -> tuple[Tensor, Tensor]:
    """How the vehicle moved since the previous frame, from a relative state.

    Args:
        relative: (B, 18) as `relative_can_bus` gives it.

    Returns:
        (B,) turn to the left, radians, and (B, 2) how far it drove to the right and forward, metres, in the axes that
        it has now: x and y of nuScenes' LiDAR frame.
    """
    turn = torch.deg2rad(relative[:, YAW_DEGREES])
    east, north = relative[:, 0], relative[:, 1]
    sine, cosine = relative[:, YAW].sin(), relative[:, YAW].cos()
    return turn, torch.stack([sine * east - cosine * north, cosine * east + sine * north], dim=-1)


def motion_of_poses(global_T_bev: Tensor, previous_global_T_bev: Tensor) -> tuple[Tensor, Tensor]:
    """How the bev frame moved since the previous frame, from its poses.

    Args:
        global_T_bev: (B, 4, 4) now.
        previous_global_T_bev: (B, 4, 4) at the previous frame.

    Returns:
        (B,) turn to the left, radians, and (B, 2) how far it moved along x and y, metres, in the axes that it has now.
    """
    bev_T_previous = torch.linalg.solve(global_T_bev, previous_global_T_bev)
    turn = torch.atan2(
        bev_T_previous[:, 0, 1] - bev_T_previous[:, 1, 0], bev_T_previous[:, 0, 0] + bev_T_previous[:, 1, 1]
    )
    return turn, -bev_T_previous[:, :2, 3]
