"""3D boxes and their projection into an image.

Boxes are arrays (M, 7+) of x, y, z of the gravity centre, length, width, height, yaw in metres and radians.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from bev.structures.boxes import gravity_array
from bev.visualization.palette import CLASS_COLOURS

NEAR = 0.3  # metres in front of the camera at which edges are cut
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
FRONT_FACE = (0, 1, 5, 4)


@dataclass(frozen=True)
class BoxSet:
    """Boxes of one frame in the bev frame: boxes (M, 7+), class names (M,), and for predictions scores (M,)."""

    boxes: np.ndarray
    names: list[str]
    scores: np.ndarray | None = field(default=None)

    def above(self, score: float) -> BoxSet:
        """The boxes that score at least `score`; all of them where there are no scores."""
        if self.scores is None:
            return self
        keep = np.flatnonzero(self.scores >= score)
        return BoxSet(self.boxes[keep], [self.names[index] for index in keep], self.scores[keep])

    def colours(self) -> list[tuple[int, int, int]]:
        """RGB colour of each box."""
        return [CLASS_COLOURS[name] for name in self.names]


def true_boxes(clip: Mapping[str, Any], classes: Sequence[str], extent: float) -> BoxSet:
    """The ground truth of a clip (see `bev.structures.clip`) whose centres are within `extent` metres along x and y."""
    gravity = gravity_array(clip["gt_boxes"])
    near = np.abs(gravity[:, :2]).max(axis=1, initial=0) <= extent
    return BoxSet(gravity[near], [classes[label] for label in clip["gt_labels"][near]])


def box_corners(boxes: np.ndarray) -> np.ndarray:
    """Corners (M, 8, 3) of boxes (M, 7+): front right, front left, back left, back right, first below, then above."""
    signs = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1]]) * 0.5
    planar = np.concatenate([signs, signs])
    heights = np.repeat([-0.5, 0.5], 4)
    local = np.concatenate([planar, heights[:, None]], axis=1)[None] * boxes[:, None, 3:6]
    cos, sin = np.cos(boxes[:, 6])[:, None], np.sin(boxes[:, 6])[:, None]
    rotated = np.stack(
        [cos * local[..., 0] - sin * local[..., 1], sin * local[..., 0] + cos * local[..., 1], local[..., 2]], axis=-1
    )
    return rotated + boxes[:, None, :3]


def draw_boxes_on_image(
    image: np.ndarray, boxes: BoxSet, pix_T_bev: np.ndarray, colour: tuple[int, int, int] | None = None
) -> np.ndarray:
    """Draw wire frames on an RGB image (H, W, 3) uint8, far boxes first, the front face tinted.

    Args:
        pix_T_bev: (4, 4) projection of bev metres to this image's pixels.
        colour: One RGB colour for all boxes instead of the classes' own.
    """
    canvas = image.copy()
    corners = box_corners(boxes.boxes)
    homogeneous = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=-1)
    projected = homogeneous @ pix_T_bev[:3].T
    colours = boxes.colours()
    for index in np.argsort(-projected[..., 2].mean(axis=1)):
        if projected[index, :, 2].max() > NEAR:
            _draw_box(canvas, projected[index], colour or colours[index])
    return canvas


def _draw_box(canvas: np.ndarray, corners: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draw one box given its corners (8, 3) as (u * depth, v * depth, depth)."""
    height, width = canvas.shape[:2]
    if (corners[:, 2] > NEAR).all():
        pixels = corners[:, :2] / corners[:, 2:]
        if (pixels.max(0) < 0).any() or (pixels.min(0) > (width, height)).any():
            return
        face = np.clip(pixels[list(FRONT_FACE)], -4 * width, 5 * width).astype(np.int32)
        tinted = cv2.fillConvexPoly(canvas.copy(), face, colour, cv2.LINE_AA)
        cv2.addWeighted(tinted, 0.25, canvas, 0.75, 0, dst=canvas)
    thickness = max(1, round(width / 500))
    for first, second in EDGES:
        segment = _clip_segment(corners[first], corners[second])
        if segment is not None:
            start, end = np.clip(segment, -8 * width, 8 * width).round().astype(int).tolist()
            cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA)


def _clip_segment(start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Cut a segment at the near plane and project it: (2, 2) pixels, or None if all of it is behind the camera."""
    if start[2] < NEAR and end[2] < NEAR:
        return None
    if start[2] < NEAR or end[2] < NEAR:
        share = (NEAR - start[2]) / (end[2] - start[2])
        cut = start + share * (end - start)
        start, end = (cut, end) if start[2] < NEAR else (start, cut)
    return np.stack([start[:2] / start[2], end[:2] / end[2]])
