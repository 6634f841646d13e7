"""Arithmetic on 3D boxes.

A box is (x, y, z, dx, dy, dz, yaw[, vx, vy]): metres, radians counter-clockwise from x, metres per second. dx is the
size along the heading (length), dy across it (width). "gravity" boxes have z at the centre of the box; mmdet3d's
`LiDARInstance3DBoxes` stores the bottom centre and offers both.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from bev.geometry.poses import Array

Angle = TypeVar("Angle", np.ndarray, Tensor, float)

CODE_SIZE = 10  # numbers of `encode_boxes`
CODE_CENTRE = (0, 1, 4)  # of which these are the centre's x, y, z


def wrap_angle(angle: Angle) -> Angle:
    """The same angle, radians, in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def legacy_to_current(boxes: Array) -> Array:
    """Boxes of mmdet3d < 1.0, (..., 7 or more), in today's convention.

    Old boxes list (x, y, z, w, l, h, yaw_old, ...) with yaw_old = -yaw - pi/2, clockwise from -y. Position and what
    follows the yaw do not change. The yaw comes back in [-pi, pi). The function is its own inverse.
    """
    exchanged = boxes.clone() if isinstance(boxes, Tensor) else boxes.copy()
    exchanged[..., 3], exchanged[..., 4] = boxes[..., 4], boxes[..., 3]
    exchanged[..., 6] = wrap_angle(-boxes[..., 6] - np.pi / 2)
    return exchanged


def encode_boxes(boxes: Array) -> Array:
    """Gravity boxes (..., 9) as the ten numbers that the heads regress.

    Returns:
        (..., 10): cx, cy, log dx, log dy, cz, log dz, sin yaw, cos yaw, vx, vy; metres, log metres, metres per second.
    """
    x, y, z, dx, dy, dz, yaw, vx, vy = (boxes[..., i] for i in range(9))
    if isinstance(boxes, Tensor):
        return torch.stack([x, y, dx.log(), dy.log(), z, dz.log(), yaw.sin(), yaw.cos(), vx, vy], dim=-1)
    return np.stack([x, y, np.log(dx), np.log(dy), z, np.log(dz), np.sin(yaw), np.cos(yaw), vx, vy], axis=-1)


def decode_boxes(code: Array) -> Array:
    """The inverse of `encode_boxes`: (..., 10) to gravity boxes (..., 9), yaw in (-pi, pi].

    Sine and cosine may have any common length.
    """
    x, y, log_dx, log_dy, z, log_dz, sine, cosine, vx, vy = (code[..., i] for i in range(10))
    if isinstance(code, Tensor):
        yaw = torch.atan2(sine, cosine)
        return torch.stack([x, y, z, log_dx.exp(), log_dy.exp(), log_dz.exp(), yaw, vx, vy], dim=-1)
    yaw = np.arctan2(sine, cosine)
    return np.stack([x, y, z, np.exp(log_dx), np.exp(log_dy), np.exp(log_dz), yaw, vx, vy], axis=-1)


def transform_boxes(boxes: np.ndarray, dst_T_src: np.ndarray) -> np.ndarray:
    """Moves gravity boxes (..., 9) from frame src to frame dst by a rigid transform (4, 4), which may also mirror.

    Boxes stay upright in either frame, so where the transform tilts, heading and velocity are rotated in 3D and then
    seen from above. Sizes do not change; an unknown (NaN) velocity stays NaN.
    """
    rotation = dst_T_src[:3, :3]
    moved = boxes.copy()
    moved[..., :3] = boxes[..., :3] @ rotation.T + dst_T_src[:3, 3]
    yaw = boxes[..., 6]
    heading = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1) @ rotation[:2, :2].T
    moved[..., 6] = np.arctan2(heading[..., 1], heading[..., 0])
    moved[..., 7:9] = boxes[..., 7:9] @ rotation[:2, :2].T
    return moved


def scale_transform_boxes(boxes: np.ndarray, dst_T_src: np.ndarray) -> np.ndarray:
    """As `transform_boxes`, for a transform (4, 4) that may also scale all axes alike: sizes are scaled, too."""
    moved = transform_boxes(boxes, dst_T_src)
    moved[..., 3:6] *= np.cbrt(abs(np.linalg.det(dst_T_src[:3, :3])))
    return moved


def inverse_transform_boxes(boxes: np.ndarray, dst_T_src: np.ndarray) -> np.ndarray:
    """Undoes `transform_boxes(..., dst_T_src)`: gravity boxes (..., 9) in frame dst back to frame src, (4, 4).

    Where the transform tilts, this is not the same as `transform_boxes` with the inverse matrix, which would lose the
    vertical part of heading and velocity a second time. Here boxes come back as they were: level in src.
    """
    src_R_dst = np.linalg.inv(dst_T_src[:2, :2])
    moved = boxes.copy()
    moved[..., :3] = (boxes[..., :3] - dst_T_src[:3, 3]) @ np.linalg.inv(dst_T_src[:3, :3]).T
    yaw = boxes[..., 6]
    heading = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1) @ src_R_dst.T
    moved[..., 6] = np.arctan2(heading[..., 1], heading[..., 0])
    moved[..., 7:9] = boxes[..., 7:9] @ src_R_dst.T
    return moved
