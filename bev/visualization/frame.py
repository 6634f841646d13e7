"""One frame as a picture: the cameras with projected boxes beside the bird's-eye view."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image, ImageDraw

from bev.visualization.bev_view import draw_bev
from bev.visualization.boxes import BoxSet, draw_boxes_on_image
from bev.visualization.palette import BACKGROUND, CLASS_COLOURS, FAINT_TEXT, TEXT, font

# The order in which a driver would look round: front row above, back row below.
NUSCENES_LAYOUT = (
    ("CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT"),
    ("CAM_BACK_LEFT", "CAM_BACK", "CAM_BACK_RIGHT"),
)
GAP = 6


def draw_frame(
    images: Mapping[str, np.ndarray],
    projections: Mapping[str, np.ndarray],
    predictions: BoxSet | None,
    truth: BoxSet | None = None,
    points: np.ndarray | None = None,
    *,
    extent: float = 55.0,
    title: str = "",
    camera_width: int = 480,
    forward: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Draw the camera mosaic beside the bird's-eye view; returns an RGB picture (H, W, 3) uint8 with even sides.

    Args:
        images: RGB image per camera name; cameras outside nuScenes' layout fill further cells in their order.
        projections: (4, 4) matrix from bev metres to that image's pixels per camera name.
        predictions: Boxes to draw in class colours, here and in bird's-eye view.
        truth: Ground truth: white outlines in bird's-eye view; also drawn on the cameras if there are no predictions.
        points: LiDAR points (P, 3+) in the bev frame.
        extent: Metres shown in each direction.
    """
    rows = _camera_rows(list(images))
    shown = predictions if predictions is not None else truth
    cells = [[_camera_cell(name, images, projections, shown, camera_width) for name in row] for row in rows]
    mosaic = np.concatenate([_join(row, axis=1) for row in _equal_rows(cells)], axis=0)
    panel = draw_bev(mosaic.shape[0], extent, predictions, truth, points, forward)
    body = _join([mosaic, panel], axis=1)
    header = _header(body.shape[1], title, shown)
    picture = np.concatenate([header, body], axis=0)
    return np.pad(
        picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), constant_values=BACKGROUND[0]
    )


def _camera_rows(names: list[str]) -> list[list[str]]:
    rows = [[name for name in row if name in names] for row in NUSCENES_LAYOUT]
    rest = [name for name in names if not any(name in row for row in rows)]
    rows += [rest[start : start + 3] for start in range(0, len(rest), 3)]
    return [row for row in rows if row]


def _camera_cell(name, images, projections, boxes: BoxSet | None, width: int) -> np.ndarray:
    image = images[name]
    scale = width / image.shape[1]
    size = (width, round(image.shape[0] * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if boxes is not None:
        resized = draw_boxes_on_image(resized, boxes, np.diag([scale, scale, 1.0, 1.0]) @ projections[name])
    drawn = Image.fromarray(resized)
    label = name.removeprefix("CAM_").replace("_", " ").lower()
    ImageDraw.Draw(drawn).text((8, 6), label, TEXT, font(13), stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(drawn)


def _equal_rows(cells: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """Pad cells so that each row has one height and all rows have as many cells."""
    count = max(map(len, cells))
    padded = []
    for row in cells:
        height = max(cell.shape[0] for cell in row)
        blank = np.full((height, row[0].shape[1], 3), BACKGROUND, np.uint8)
        filled = [np.concatenate([cell, blank[: height - cell.shape[0]]]) for cell in row]
        padded.append([np.pad(cell, ((0, GAP), (0, 0), (0, 0))) for cell in filled + [blank] * (count - len(row))])
    return padded


def _join(parts: list[np.ndarray], axis: int) -> np.ndarray:
    gap_shape = list(parts[0].shape)
    gap_shape[axis] = GAP
    gap = np.full(gap_shape, BACKGROUND, np.uint8)
    joined = [piece for part in parts for piece in (part, gap)][:-1]
    return np.concatenate(joined, axis=axis)


def _header(width: int, title: str, boxes: BoxSet | None) -> np.ndarray:
    """A strip with the title and the colours of the classes in view."""
    image = Image.new("RGB", (width, 34), BACKGROUND)
    draw = ImageDraw.Draw(image)
    draw.text((10, 17), title, TEXT, font(15), anchor="lm")
    right = width - 10
    present = set(boxes.names) if boxes is not None else set()
    for name in reversed([name for name in CLASS_COLOURS if name in present]):
        label = name.replace("_", " ")
        right -= round(draw.textlength(label, font(13)))
        draw.text((right, 17), label, FAINT_TEXT, font(13), anchor="lm")
        right -= 18
        draw.rectangle((right, 11, right + 12, 23), CLASS_COLOURS[name])
        right -= 16
    return np.asarray(image)
