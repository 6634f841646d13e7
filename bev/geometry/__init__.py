"""Poses, cameras, the BEV grid and boxes: pure functions and frozen dataclasses."""

from bev.geometry.boxes import (
    decode_boxes,
    encode_boxes,
    inverse_transform_boxes,
    legacy_to_current,
    scale_transform_boxes,
    transform_boxes,
    wrap_angle,
)
from bev.geometry.cameras import MIN_DEPTH, check_intrinsic, image_affine, pix_T_cam, project, split_projection
from bev.geometry.errors import CalibrationError
from bev.geometry.grid import BEVGrid
from bev.geometry.lenses import Lens
from bev.geometry.poses import check_pose, invert_pose, pose_matrix, rotation_z, transform_points, yaw_of

__all__ = [
    "MIN_DEPTH",
    "BEVGrid",
    "CalibrationError",
    "Lens",
    "check_intrinsic",
    "check_pose",
    "decode_boxes",
    "encode_boxes",
    "image_affine",
    "inverse_transform_boxes",
    "invert_pose",
    "legacy_to_current",
    "pix_T_cam",
    "pose_matrix",
    "project",
    "rotation_z",
    "scale_transform_boxes",
    "split_projection",
    "transform_boxes",
    "transform_points",
    "wrap_angle",
    "yaw_of",
]
