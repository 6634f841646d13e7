"""A camera that looks down on a grid from above and behind."""

from __future__ import annotations

import itertools

import numpy as np

from bev.geometry.cameras import image_affine, pix_T_cam, project

PITCH = np.radians(45.0)
FIELD_OF_VIEW = np.radians(55.0)


def overview_projection(
    bounds: tuple[float, float, float, float, float, float],
    size: tuple[int, int],
    pitch: float = PITCH,
    field_of_view: float = FIELD_OF_VIEW,
    margin: float = 0.02,
) -> np.ndarray:
    """Projection of a pinhole that looks along x and down, from where it just sees the whole of a box.

    Heights show, unlike in an orthogonal view, and what is ahead is above in the picture.

    Args:
        bounds: Of the box: (x_min, y_min, z_min, x_max, y_max, z_max), metres.
        size: Height and width of the picture, pixels.
        pitch: Angle of the optical axis below the horizon, radians.
        field_of_view: Of the picture's longer side, radians.
        margin: Free part of the picture at each side.

    Returns:
        (4, 4), metres in the frame of the box to (u * d, v * d, d, 1).
    """
    height, width = size
    focal = max(size) / 2 / np.tan(field_of_view / 2)
    # Optical axes (x right, y down, z ahead) in the frame of the box.
    sin, cos = np.sin(pitch), np.cos(pitch)
    cam_T_box = np.eye(4)
    cam_T_box[:3, :3] = [[0, -1, 0], [-sin, 0, -cos], [cos, 0, -sin]]
    corners_box = np.array(list(itertools.product(*zip(bounds[:3], bounds[3:], strict=True))))
    corners = corners_box @ cam_T_box[:3, :3].T
    (right, distance_x), (down, distance_y) = (
        _fit(corners[:, axis], corners[:, 2], (1 - 2 * margin) * side / 2 / focal)
        for axis, side in ((0, width), (1, height))
    )
    cam_T_box[:3, 3] = right, down, max(distance_x, distance_y)
    projection = pix_T_cam(np.diag([focal, focal, 1.0])) @ cam_T_box
    # From the greater of the two distances, the other direction has room to spare: the same on both sides.
    pixels, _ = project(projection, corners_box)
    middle = (pixels.min(axis=0) + pixels.max(axis=0)) / 2
    return image_affine(crop=(middle[0] - width / 2, middle[1] - height / 2)) @ projection


def _fit(across: np.ndarray, ahead: np.ndarray, slope: float) -> tuple[float, float]:
    """The shift across and the least shift ahead that bring points between two lines through the origin.

    |across + s| <= slope * (ahead + t) holds for all points if the farthest out on either side touch their lines.
    """
    high, low = (across - slope * ahead).max(), (-across - slope * ahead).max()
    return (low - high) / 2, (high + low) / 2 / slope
