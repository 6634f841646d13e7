from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmdet3d.structures import LiDARInstance3DBoxes

from bev.geometry import (
    decode_boxes,
    encode_boxes,
    inverse_transform_boxes,
    legacy_to_current,
    pose_matrix,
    rotation_z,
    transform_boxes,
    wrap_angle,
)

position, size, speed = st.floats(-100, 100), st.floats(0.1, 20), st.floats(-30, 30)
boxes = st.tuples(position, position, position, size, size, size, st.floats(-3.14, 3.14), speed, speed).map(np.array)
tilts = st.builds(
    lambda x, y, z: pose_matrix([1.0, x, y, z], [3.0, -2.0, 1.0]),
    st.floats(-0.05, 0.05),
    st.floats(-0.05, 0.05),
    st.floats(-3, 3),
)


def _assert_same_boxes(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-8) -> None:
    np.testing.assert_allclose(np.delete(found, 6, -1), np.delete(expected, 6, -1), atol=tolerance)
    np.testing.assert_allclose(wrap_angle(found[..., 6] - expected[..., 6]), 0, atol=tolerance)


@given(boxes)
def test_legacy_conversion_undoes_itself(box: np.ndarray):
    _assert_same_boxes(legacy_to_current(legacy_to_current(box)), box)


def test_legacy_convention_by_hand():
    # A car of 4 x 2 m heading along +x: the old convention counts clockwise from -y.
    current = np.array([1.0, 2.0, 0.5, 4.0, 2.0, 1.5, 0.0, 3.0, 0.0])
    legacy = np.array([1.0, 2.0, 0.5, 2.0, 4.0, 1.5, -np.pi / 2, 3.0, 0.0])
    _assert_same_boxes(legacy_to_current(legacy), current)
    _assert_same_boxes(legacy_to_current(torch.from_numpy(legacy)).numpy(), current)


def test_conversion_leaves_its_input_alone():
    box = torch.arange(8.0)
    legacy_to_current(box)
    torch.testing.assert_close(box, torch.arange(8.0))


@given(boxes)
def test_box_code_round_trips(box: np.ndarray):
    _assert_same_boxes(decode_boxes(encode_boxes(box)), box)
    tensor = torch.from_numpy(box)
    np.testing.assert_allclose(encode_boxes(tensor).numpy(), encode_boxes(box))
    _assert_same_boxes(decode_boxes(encode_boxes(tensor)).numpy(), box)


def test_box_code_order():
    code = encode_boxes(np.array([1.0, 2.0, 3.0, np.e, np.e**2, np.e**3, np.pi / 2, 7.0, 8.0]))
    np.testing.assert_allclose(code, [1, 2, 1, 2, 3, 3, 1, 0, 7, 8], atol=1e-12)


def test_decoding_takes_sine_and_cosine_of_any_length():
    assert decode_boxes(np.array([0, 0, 0, 0, 0, 0, 5.0, 5.0, 0, 0]))[6] == pytest.approx(np.pi / 4)


@given(st.floats(-50, 50))
def test_wrap_angle_keeps_the_direction(angle: float):
    wrapped = wrap_angle(np.float64(angle))
    assert -np.pi <= wrapped < np.pi
    np.testing.assert_allclose([np.cos(wrapped), np.sin(wrapped)], [np.cos(angle), np.sin(angle)], atol=1e-9)


@given(boxes, st.floats(-3, 3))
def test_level_transform_moves_corners_like_points(box: np.ndarray, angle: float):
    dst_T_src = rotation_z(angle)
    dst_T_src[:3, 3] = [4.0, -7.0, 0.5]
    moved = transform_boxes(box[None], dst_T_src)
    expected = _corners(box[None]) @ dst_T_src[:3, :3].T + dst_T_src[:3, 3]
    np.testing.assert_allclose(_corners(moved), expected, atol=1e-3)


def _corners(gravity: np.ndarray) -> np.ndarray:
    return LiDARInstance3DBoxes(gravity, box_dim=9, origin=(0.5, 0.5, 0.5)).corners.double().numpy()


def test_mirroring_mirrors_heading_and_velocity():
    box = np.array([1.0, 2.0, 0.0, 4.0, 2.0, 1.5, 0.3, 5.0, 1.0])
    moved = transform_boxes(box, np.diag([1.0, -1.0, 1.0, 1.0]))
    _assert_same_boxes(moved, np.array([1.0, -2.0, 0.0, 4.0, 2.0, 1.5, -0.3, 5.0, -1.0]))


@given(boxes, tilts)
def test_inverse_transform_undoes_tilted_transforms_exactly(box: np.ndarray, dst_T_src: np.ndarray):
    _assert_same_boxes(inverse_transform_boxes(transform_boxes(box, dst_T_src), dst_T_src), box)


def test_unknown_velocity_stays_unknown():
    box = np.array([1.0, 2.0, 0.0, 4.0, 2.0, 1.5, 0.3, np.nan, np.nan])
    assert np.isnan(transform_boxes(box, rotation_z(1.0))[7:]).all()
