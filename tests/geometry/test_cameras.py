from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bev.geometry import (
    CalibrationError,
    check_intrinsic,
    image_affine,
    invert_pose,
    pix_T_cam,
    pose_matrix,
    project,
)

INTRINSIC = np.array([[1260.0, 0.0, 810.0], [0.0, 1250.0, 490.0], [0.0, 0.0, 1.0]])
CAM_T_REF = invert_pose(pose_matrix([0.5, -0.48, 0.51, -0.5], [1.5, 0.2, 1.6]))


@given(st.floats(0, 1600), st.floats(0, 900), st.floats(0.5, 80))
def test_a_pixel_and_its_depth_come_back_from_their_point(u: float, v: float, depth: float):
    pix_T_ref = pix_T_cam(INTRINSIC) @ CAM_T_REF
    point = np.linalg.inv(pix_T_ref) @ [u * depth, v * depth, depth, 1.0]
    assert point[3] == pytest.approx(1.0)
    pixels, depths = project(pix_T_ref, point[None, :3])
    np.testing.assert_allclose(pixels[0], [u, v], atol=1e-6)
    assert depths[0] == pytest.approx(depth)


def test_arrays_and_tensors_broadcast_alike():
    rng = np.random.default_rng(0)
    matrices = np.stack([pix_T_cam(INTRINSIC) @ CAM_T_REF] * 6).reshape(2, 3, 4, 4)
    points = rng.uniform(-20, 20, (2, 1, 7, 3))
    pixels, depths = project(matrices, points)
    assert pixels.shape == (2, 3, 7, 2)
    assert depths.shape == (2, 3, 7)
    tensor_pixels, tensor_depths = project(torch.from_numpy(matrices), torch.from_numpy(points))
    np.testing.assert_allclose(tensor_pixels.numpy(), pixels)
    np.testing.assert_allclose(tensor_depths.numpy(), depths)


def test_depth_behind_the_camera_stays_negative_and_pixels_finite():
    pixels, depths = project(pix_T_cam(INTRINSIC), np.array([[1.0, 0.0, -5.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(depths, [-5.0, 0.0])
    assert np.isfinite(pixels).all()


@given(
    st.floats(0.1, 3),
    st.floats(0.1, 3),
    st.floats(-50, 300),
    st.floats(-50, 300),
    st.booleans(),
    st.floats(0, 1600),
    st.floats(0, 900),
)
def test_image_affine_resizes_crops_then_flips(
    sx: float, sy: float, left: float, top: float, flip: bool, u: float, v: float
):
    width = 704.0
    affine = image_affine((sx, sy), (left, top), width if flip else None)
    moved = affine @ [u * 10, v * 10, 10, 1]
    expected_u = u * sx - left
    assert moved[0] / 10 == pytest.approx(width - expected_u if flip else expected_u, abs=1e-6)
    assert moved[1] / 10 == pytest.approx(v * sy - top, abs=1e-6)
    np.testing.assert_array_equal(moved[2:], [10, 1])


def test_flipping_twice_is_nothing():
    flip = image_affine(flip_width=800)
    np.testing.assert_allclose(flip @ flip, np.eye(4))


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.zeros((0,)), "shape"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.diag([0.0, 1000.0, 1.0]), "singular"),
        (np.diag([1000.0, 1000.0, 0.0]), "singular"),
    ],
)
def test_check_intrinsic_says_where_and_why(matrix: np.ndarray, reason: str):
    with pytest.raises(CalibrationError, match=f"token 7.*{reason}"):
        check_intrinsic(matrix, "token 7")


def test_check_intrinsic_accepts_a_camera():
    check_intrinsic(INTRINSIC, "camera")
