"""Pinhole cameras as 4x4 matrices: `pix_T_ref` maps homogeneous metres to (u * d, v * d, d, 1), pixels and metres.

Pixel coordinates are continuous: an image spans [0, W) x [0, H), and the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bev.geometry.errors import CalibrationError
from bev.geometry.poses import Array, numbers

# Points nearer than this, or behind the camera, have no pixel; the division alone is protected.
MIN_DEPTH = 1e-5


def pix_T_cam(intrinsic: np.ndarray) -> np.ndarray:
    """Embeds an intrinsic matrix (3, 3), pixels, in a (4, 4) float64 projection from the camera's optical frame."""
    projection = np.eye(4)
    projection[:3, :3] = intrinsic
    return projection


def check_intrinsic(intrinsic: np.ndarray, where: str) -> None:
    """Checks that an intrinsic matrix is (3, 3), finite and projects.

    Args:
        intrinsic: the matrix, pixels.
        where: what the message calls it: file, token, camera.

    Raises:
        CalibrationError: another shape, NaN, focal lengths that are not positive, or a last row other than (0, 0, 1).
    """
    matrix = numbers(intrinsic, where)
    if matrix.shape != (3, 3):
        raise CalibrationError(f"{where}: the camera intrinsic has shape (3, 3), found {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise CalibrationError(f"{where}: the camera intrinsic holds NaN or infinite values; correct this record")
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or not np.allclose(matrix[2], [0, 0, 1]):
        raise CalibrationError(
            f"{where}: the camera intrinsic {matrix.tolist()} is singular or not a pinhole's "
            "(focal lengths must be positive and the last row 0, 0, 1); correct this record"
        )


def project(pix_T_ref: Array, points: Array) -> tuple[Array, Array]:
    """Projects points into images.

    Args:
        pix_T_ref: (..., 4, 4) projections.
        points: (..., P, 3) in frame ref, metres; the leading dimensions broadcast against those of `pix_T_ref`.

    Returns:
        pixels (..., P, 2), meaningful where depth > 0 only, and depth (..., P), metres, signed: negative behind the
        camera.
    """
    rotation, offset = pix_T_ref[..., :3, :3], pix_T_ref[..., None, :3, 3]
    if isinstance(pix_T_ref, Tensor):
        image = points @ rotation.transpose(-1, -2) + offset
        divisor = torch.clamp(image[..., 2:3], min=MIN_DEPTH)
    else:
        image = points @ np.swapaxes(rotation, -1, -2) + offset
        divisor = np.maximum(image[..., 2:3], MIN_DEPTH)
    return image[..., :2] / divisor, image[..., 2]


def image_affine(
    scale: tuple[float, float] = (1.0, 1.0),
    crop: tuple[float, float] = (0.0, 0.0),
    flip_width: float | None = None,
) -> np.ndarray:
    """Matrix of a resize, then a crop, then a horizontal flip of the image, so that
    `pix_T_bev_new = image_affine(...) @ pix_T_bev`.

    Args:
        scale: new width / old width, new height / old height.
        crop: left and top of the kept part, pixels of the resized image; negative where a border is added.
        flip_width: width, pixels, of the image that is flipped (u' = flip_width - u), or None for no flip.

    Returns:
        (4, 4) float64.
    """
    affine = np.diag([scale[0], scale[1], 1.0, 1.0])
    affine[:2, 2] = -crop[0], -crop[1]
    if flip_width is not None:
        affine[0] = -affine[0]
        affine[0, 2] += flip_width
    return affine


def split_projection(pix_T_ref: Tensor) -> tuple[Tensor, Tensor]:
    """Intrinsic and extrinsic part of projections, however image and frame were resized, cropped or mirrored.

    Gram-Schmidt from the last row up (the RQ decomposition). Focal lengths come out positive, so that a mirrored image
    shows in the determinant of the rotation: -1.

    Args:
        pix_T_ref: (..., 4, 4), frame ref (metres) to (u d, v d, d, 1).

    Returns:
        Intrinsics (..., 3, 3), pixels, and cam_T_ref (..., 4, 4), rigid but for mirroring: where frame ref is scaled,
        so is the camera's.
    """
    first, second, third = pix_T_ref[..., :3, :3].unbind(-2)
    norm = third.norm(dim=-1, keepdim=True)
    z = third / norm
    cy = (second * z).sum(-1, keepdim=True)
    y = second - cy * z
    fy = y.norm(dim=-1, keepdim=True)
    y = y / fy
    cx, skew = (first * z).sum(-1, keepdim=True), (first * y).sum(-1, keepdim=True)
    x = first - cx * z - skew * y
    fx = x.norm(dim=-1, keepdim=True)
    zero = torch.zeros_like(fx)
    rows = [torch.cat(row, -1) for row in ((fx, skew, cx), (zero, fy, cy), (zero, zero, norm))]
    intrinsic = torch.stack(rows, -2)
    cam_T_ref = torch.zeros_like(pix_T_ref)
    cam_T_ref[..., :3, :3] = torch.stack([x / fx, y, z], -2)
    cam_T_ref[..., :3, 3] = torch.linalg.solve(intrinsic, pix_T_ref[..., :3, 3])
    cam_T_ref[..., 3, 3] = 1
    return intrinsic / norm[..., None], cam_T_ref
