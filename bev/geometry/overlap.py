"""IoU of upright boxes, compiled, with the limits of Waymo's official implementation.

A box is x, y, z of the centre, length, width, height, heading: metres, radians. The second rectangle of a pair is
clipped by the four sides of the first, in the first one's own frame.

Shapes: P predictions, G ground truths.
"""

from __future__ import annotations

import math

import numpy as np

from bev.geometry.compiled import jit

MIN_SIZE = 1e-2
MAX_SIZE = 1e6
MIN_DOUBLE_AREA = 1e-10
MIN_UNION = 1e-6


@jit
def _clip(points, count, axis, sign, limit, kept):
    """Cuts a polygon by the half plane sign * points[:, axis] <= limit; returns how many corners are kept."""
    number = 0
    for k in range(count):
        start, end = points[k], points[(k + 1) % count]
        inside, outside = limit - sign * start[axis], limit - sign * end[axis]
        if inside >= 0.0:
            kept[number, 0], kept[number, 1] = start[0], start[1]
            number += 1
        if (inside > 0.0 and outside < 0.0) or (inside < 0.0 and outside > 0.0):
            share = inside / (inside - outside)
            kept[number, 0] = start[0] + share * (end[0] - start[0])
            kept[number, 1] = start[1] + share * (end[1] - start[1])
            number += 1
    return number


@jit
def _double_area(points, count):
    """Twice the area of a polygon."""
    total = 0.0
    for k in range(1, count - 1):
        along, across = points[k] - points[0], points[k + 1] - points[0]
        total += along[0] * across[1] - along[1] * across[0]
    return abs(total)


@jit
def _ground_overlap(first, second, points, kept):
    """Area that two boxes share on the ground; `points` and `kept` are (16, 2) scratch."""
    shift_x, shift_y = second[0] - first[0], second[1] - first[1]
    reach = math.hypot(first[3], first[4]) + math.hypot(second[3], second[4])
    if 4.0 * (shift_x * shift_x + shift_y * shift_y) > reach * reach:
        return 0.0
    cosine, sine = math.cos(first[6]), math.sin(first[6])
    x, y = shift_x * cosine + shift_y * sine, shift_y * cosine - shift_x * sine
    turn = second[6] - first[6]
    cosine, sine = math.cos(turn), math.sin(turn)
    for k in range(4):
        along = second[3] * (0.5 if k == 0 or k == 3 else -0.5)
        across = second[4] * (0.5 if k < 2 else -0.5)
        points[k, 0] = x + along * cosine - across * sine
        points[k, 1] = y + along * sine + across * cosine
    count = _clip(points, 4, 0, 1.0, first[3] / 2, kept)
    count = _clip(kept, count, 0, -1.0, first[3] / 2, points)
    count = _clip(points, count, 1, 1.0, first[4] / 2, kept)
    count = _clip(kept, count, 1, -1.0, first[4] / 2, points)
    area = _double_area(points, count)
    return area / 2 if area > MIN_DOUBLE_AREA else 0.0


@jit
def box_iou(first, second, planar, points, kept):
    """IoU of two boxes (7 or more numbers each), for other compiled loops; `points` and `kept` are (16, 2) scratch."""
    for k in range(3, 6):
        thin = min(first[k], second[k]) <= MIN_SIZE and not (planar and k == 5)
        if thin or max(first[k], second[k]) >= MAX_SIZE:
            return 0.0
    shared, sizes = 1.0, first[3] * first[4] + second[3] * second[4]
    if not planar:
        top = min(first[2] + first[5] / 2, second[2] + second[5] / 2)
        shared = top - max(first[2] - first[5] / 2, second[2] - second[5] / 2)
        sizes = first[3] * first[4] * first[5] + second[3] * second[4] * second[5]
    if shared < 0.0:
        return 0.0
    shared *= _ground_overlap(first, second, points, kept)
    union = sizes - shared
    return 0.0 if union <= MIN_UNION else min(max(shared / union, 0.0), 1.0)


@jit
def _iou_matrix(boxes, centres, truth, wanted, planar, iou):
    points, kept, moved = np.empty((16, 2)), np.empty((16, 2)), np.empty(7)
    for i in range(len(boxes)):
        moved[:] = boxes[i]
        for j in range(len(truth)):
            if wanted[i, j]:
                moved[:3] = centres[i, j]
                iou[i, j] = box_iou(moved, truth[j], planar, points, kept)


def iou_matrix(
    boxes: np.ndarray, centres: np.ndarray, truth: np.ndarray, wanted: np.ndarray, planar: bool = False
) -> np.ndarray:
    """IoU of predictions, each moved to a place of its own for every ground truth.

    Args:
        boxes: (P, 7) float64; their centres don't count.
        centres: (P, G, 3) float64 where prediction i is for ground truth j.
        truth: (G, 7) float64.
        wanted: (P, G) bool pairs to compute; others are 0.
        planar: Without z and height.

    Returns:
        (P, G) float32. 0 where a box is thinner than 1 cm or longer than 1e6 m.
    """
    iou = np.zeros(wanted.shape, dtype=np.float32)
    _iou_matrix(boxes, centres, truth, wanted, planar, iou)
    return iou
