"""Bird's-eye view of one frame: LiDAR points, ground truth in white outline, predictions in their class colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from bev.visualization.boxes import BoxSet, box_corners
from bev.visualization.palette import FAINT_TEXT, GRID, PANEL, TEXT, TRUTH, font

SUPERSAMPLING = 2


def draw_bev(
    size: int,
    extent: float,
    predictions: BoxSet | None,
    truth: BoxSet | None = None,
    points: np.ndarray | None = None,
    forward: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Draw a square RGB panel (size, size, 3) with the vehicle in the middle, looking up.

    Args:
        extent: Metres from the vehicle to the panel's edge.
        points: LiDAR points (P, 3+) in the bev frame.
        forward: Unit vector of the driving direction in the bev frame: nuScenes' LiDAR looks along +y, an ego frame
            along +x.
    """
    scale = size * SUPERSAMPLING / (2 * extent)
    to_panel = _panel_transform(scale, size * SUPERSAMPLING, forward)
    canvas = np.full((size * SUPERSAMPLING, size * SUPERSAMPLING, 3), PANEL, np.uint8)
    rings = range(10, int(extent * 1.5), 10)
    for radius in rings:
        middle = size * SUPERSAMPLING // 2
        cv2.circle(canvas, (middle, middle), round(radius * scale), GRID, SUPERSAMPLING, cv2.LINE_AA)
    if points is not None:
        _draw_points(canvas, to_panel(points[:, :2]), points[:, 2])
    if truth is not None:
        _draw_outlines(canvas, truth, to_panel, [TRUTH] * len(truth.names), 2, filled=False)
    if predictions is not None:
        _draw_outlines(canvas, predictions, to_panel, predictions.colours(), 3, filled=True)
    _draw_vehicle(canvas, scale)
    panel = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return _label_rings(panel, rings, size / (2 * extent), truth is not None)


def _panel_transform(scale: float, pixels: int, forward: tuple[float, float]) -> Callable[[np.ndarray], np.ndarray]:
    """Function from bev xy (..., 2) in metres to panel pixels, with `forward` pointing up."""
    ahead = np.array(forward, dtype=float)
    right = np.array([ahead[1], -ahead[0]])

    def transform(xy: np.ndarray) -> np.ndarray:
        return np.stack([pixels / 2 + scale * (xy @ right), pixels / 2 - scale * (xy @ ahead)], axis=-1)

    return transform


def _draw_points(canvas: np.ndarray, pixels: np.ndarray, heights: np.ndarray) -> None:
    cells = pixels.round().astype(int)
    inside = ((cells >= 0) & (cells < canvas.shape[0] - 1)).all(axis=1)
    shade = (70 + 90 * np.clip((heights[inside] + 2) / 4, 0, 1)).astype(np.uint8)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        canvas[cells[inside, 1] + row, cells[inside, 0] + column] = shade[:, None]


def _draw_outlines(
    canvas: np.ndarray,
    boxes: BoxSet,
    to_panel: Callable[[np.ndarray], np.ndarray],
    colours: Sequence[tuple[int, int, int]],
    thickness: int,
    filled: bool,
) -> None:
    """Draw footprints with a line from the centre to the middle of the front."""
    corners = to_panel(box_corners(boxes.boxes)[:, :4, :2])
    for polygon, colour in zip(corners, colours, strict=True):
        outline = polygon.round().astype(np.int32)
        if filled:
            tinted = cv2.fillConvexPoly(canvas.copy(), outline, colour, cv2.LINE_AA)
            cv2.addWeighted(tinted, 0.35, canvas, 0.65, 0, dst=canvas)
        cv2.polylines(canvas, [outline], True, colour, thickness, cv2.LINE_AA)
        centre, nose = polygon.mean(0).round().astype(int), polygon[:2].mean(0).round().astype(int)
        cv2.line(canvas, centre.tolist(), nose.tolist(), colour, thickness, cv2.LINE_AA)


def _draw_vehicle(canvas: np.ndarray, scale: float) -> None:
    middle = canvas.shape[0] / 2
    half = np.array([0.95, 2.1]) * scale
    low, high = (middle - half).round().astype(int), (middle + half).round().astype(int)
    cv2.rectangle(canvas, low.tolist(), high.tolist(), TEXT, -1, cv2.LINE_AA)
    nose = np.array(
        [[middle, low[1] + scale * 0.3], [middle - half[0] * 0.6, middle], [middle + half[0] * 0.6, middle]]
    )
    cv2.fillConvexPoly(canvas, nose.round().astype(np.int32), PANEL, cv2.LINE_AA)


def _label_rings(panel: np.ndarray, rings: range, scale: float, with_truth: bool) -> np.ndarray:
    image = Image.fromarray(panel)
    draw = ImageDraw.Draw(image)
    size = panel.shape[0]
    for radius in rings:
        if radius * scale < size / 2 - 14:
            draw.text(
                (size / 2 + 4, size / 2 - radius * scale + 2), f"{radius} m", FAINT_TEXT, font(max(10, size // 60))
            )
    if with_truth:
        draw.text((10, size - 10), "white: ground truth", FAINT_TEXT, font(max(11, size // 50)), anchor="ls")
    return np.asarray(image)
