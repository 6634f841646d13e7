from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyquaternion import Quaternion

from bev.geometry import CalibrationError, check_pose, invert_pose, pose_matrix, rotation_z, transform_points, yaw_of

coordinate = st.floats(-1e4, 1e4)
quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).map(np.array).filter(lambda q: np.linalg.norm(q) > 0.1)
poses = st.builds(pose_matrix, quaternions, st.lists(coordinate, min_size=3, max_size=3))


@given(quaternions)
def test_pose_matrix_agrees_with_pyquaternion(quaternion: np.ndarray):
    expected = Quaternion(quaternion).rotation_matrix
    np.testing.assert_allclose(pose_matrix(quaternion, [0, 0, 0])[:3, :3], expected, atol=1e-12)


@given(poses)
def test_inverse_undoes_the_pose(pose: np.ndarray):
    check_pose(pose, "test")
    np.testing.assert_allclose(invert_pose(pose) @ pose, np.eye(4), atol=1e-9)


def test_inverse_of_stacks_of_arrays_and_tensors():
    stack = np.stack([pose_matrix([1, 0, i, 2], [i, 2, 3]) for i in range(6)]).reshape(2, 3, 4, 4)
    expected = np.linalg.inv(stack)
    np.testing.assert_allclose(invert_pose(stack), expected, atol=1e-12)
    np.testing.assert_allclose(invert_pose(torch.from_numpy(stack)).numpy(), expected, atol=1e-12)


@given(st.floats(-3.1, 3.1))
def test_yaw_of_a_turn_about_z(angle: float):
    assert yaw_of(rotation_z(angle)) == pytest.approx(angle, abs=1e-12)
    np.testing.assert_allclose(rotation_z(angle) @ [1, 0, 0, 1], [np.cos(angle), np.sin(angle), 0, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("quaternion", "translation"),
    [([np.nan, 0, 0, 1], [0, 0, 0]), ([0, 0, 0, 0], [0, 0, 0]), ([1, 0, 0, 0], [0, np.inf, 0]), ([1, 0, 0], [0, 0, 0])],
)
def test_pose_matrix_refuses_what_is_no_pose(quaternion: list, translation: list):
    with pytest.raises(CalibrationError, match="ego_pose token abc"):
        pose_matrix(quaternion, translation, "ego_pose token abc")


def _with_entry(row: int, column: int, value: float) -> np.ndarray:
    pose = np.eye(4)
    pose[row, column] = value
    return pose


@pytest.mark.parametrize(
    ("pose", "reason"),
    [
        (np.eye(3), "shape"),
        (_with_entry(0, 3, np.nan), "NaN"),
        (_with_entry(0, 0, 2.0), "not rigid"),
        (_with_entry(0, 0, -1.0), "not rigid"),
        (_with_entry(3, 0, 1.0), "not rigid"),
    ],
)
def test_check_pose_says_where_and_why(pose: np.ndarray, reason: str):
    with pytest.raises(CalibrationError, match=f"CAM_FRONT.*{reason}"):
        check_pose(pose, "CAM_FRONT")


@given(poses)
def test_points_of_arrays_and_tensors(pose: np.ndarray):
    points = np.arange(24.0).reshape(4, 2, 3)
    expected = np.concatenate([points, np.ones((4, 2, 1))], axis=-1) @ pose.T
    np.testing.assert_allclose(transform_points(points, pose), expected[..., :3], rtol=1e-12, atol=1e-9)
    moved = transform_points(torch.from_numpy(points), torch.from_numpy(pose))
    np.testing.assert_allclose(moved.numpy(), expected[..., :3], rtol=1e-12, atol=1e-9)
