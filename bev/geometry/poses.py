"""Rigid poses as 4x4 matrices, named `dst_T_src`: a point in frame src times the matrix is that point in frame dst."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from bev.geometry.errors import CalibrationError

Array = TypeVar("Array", np.ndarray, Tensor)

# Published calibrations are rounded: OpenLane-V2's and Waymo's rotations are orthonormal to about 1e-5.
ORTHONORMAL_TOLERANCE = 1e-3


def pose_matrix(
    rotation_wxyz: Sequence[float] | np.ndarray, translation: Sequence[float] | np.ndarray, where: str = "pose"
) -> np.ndarray:
    """Builds `dst_T_src` from the quaternion and translation (metres) of frame src given in frame dst.

    Args:
        rotation_wxyz: quaternion, scalar first; normalised here.
        translation: origin of src in dst, metres.
        where: what the message of an error calls this pose, such as its table and token.

    Returns:
        (4, 4) float64.

    Raises:
        CalibrationError: no numbers, wrong lengths, NaN or infinite values, or a quaternion of length zero.
    """
    quaternion, origin = numbers(rotation_wxyz, where), numbers(translation, where)
    if quaternion.shape != (4,) or origin.shape != (3,):
        raise CalibrationError(
            f"{where}: expected a quaternion of 4 and a translation of 3 numbers, "
            f"found shapes {quaternion.shape} and {origin.shape}"
        )
    length = float(np.linalg.norm(quaternion))
    if not np.isfinite(origin).all() or not np.isfinite(length) or length < 1e-6:
        raise CalibrationError(
            f"{where}: quaternion {quaternion.tolist()} and translation {origin.tolist()} are not a pose "
            "(NaN, infinite or zero-length); correct or remove this record"
        )
    pose = np.eye(4)
    pose[:3, :3] = _rotation_from_unit_quaternion(quaternion / length)
    pose[:3, 3] = origin
    return pose


def numbers(values: Any, where: str) -> np.ndarray:
    """An array float64 of numbers and lists of them.

    Raises:
        CalibrationError: they are something else, or lists of unequal lengths; names `where`.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        found = reprlib.repr(values)
        raise CalibrationError(f"{where}: expected numbers, found {found}; correct this record") from error


def _rotation_from_unit_quaternion(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def invert_pose(pose: Array) -> Array:
    """Inverts rigid transforms: `src_T_dst` from `dst_T_src`, (..., 4, 4), array or tensor."""
    if isinstance(pose, Tensor):
        inverse = torch.zeros_like(pose)
        rotation = pose[..., :3, :3].transpose(-1, -2)
    else:
        inverse = np.zeros_like(pose)
        rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -(rotation @ pose[..., :3, 3, None])[..., 0]
    inverse[..., 3, 3] = 1
    return inverse


def transform_points(points: Array, dst_T_src: Array) -> Array:
    """Points (..., 3) of frame src in frame dst, by one affine transform (4, 4); both arrays or both tensors."""
    return points @ dst_T_src[:3, :3].T + dst_T_src[:3, 3]


def yaw_of(matrix: np.ndarray) -> float:
    """Heading of a rotation or pose, (3, 3) or (4, 4): the angle of its x axis seen from above, radians, ccw."""
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))


def rotation_z(angle: float) -> np.ndarray:
    """Pose, (4, 4) float64, that turns points counter-clockwise about z by `angle` radians."""
    pose = np.eye(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    pose[:2, :2] = [[cosine, -sine], [sine, cosine]]
    return pose


def check_pose(pose: np.ndarray, where: str) -> None:
    """Checks that `pose` is a finite rigid (4, 4) transform.

    Args:
        pose: the matrix.
        where: what the message calls it: file, token, camera.

    Raises:
        CalibrationError: it has another shape, holds NaN, or scales, shears or mirrors.
    """
    pose = numbers(pose, where)
    if pose.shape != (4, 4):
        raise CalibrationError(f"{where}: a pose has shape (4, 4), found {pose.shape}")
    if not np.isfinite(pose).all():
        raise CalibrationError(f"{where}: the pose holds NaN or infinite values; correct or remove this record")
    rotation = pose[:3, :3]
    orthonormal = np.abs(rotation @ rotation.T - np.eye(3)).max() < ORTHONORMAL_TOLERANCE
    affine = np.allclose(pose[3], [0, 0, 0, 1])
    if not (orthonormal and affine and np.linalg.det(rotation) > 0):
        raise CalibrationError(
            f"{where}: the pose is not rigid (rotation with determinant {np.linalg.det(rotation):.6g}, "
            f"last row {pose[3].tolist()}); correct or remove this record"
        )
