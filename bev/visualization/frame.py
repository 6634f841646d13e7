"""One frame as a picture: the cameras with projected boxes beside the bird's-eye view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bev.visualization.bev_view import draw_bev
from bev.visualization.boxes import BoxSet, draw_boxes_on_image
from bev.visualization.layout import (
    GAP,
    camera_caption,
    caption,
    even,
    fit,
    join,
    missing_camera,
    row_sizes,
    title_strip,
)
from bev.visualization.palette import BACKGROUND, CLASS_COLOURS

# The order in which a driver would look round: front row above, back row below.
NUSCENES_LAYOUT = (
    ("CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT"),
    ("CAM_BACK_LEFT", "CAM_BACK", "CAM_BACK_RIGHT"),
)
WAYMO_LAYOUT = (("FRONT_LEFT", "FRONT", "FRONT_RIGHT"), ("SIDE_LEFT", "SIDE_RIGHT"))

USUAL_SIZE = (9, 16)
"""Height and width of an image of which nothing is known: their ratio counts."""

Cameras = Sequence[str] | Mapping[str, tuple[int, int]]
"""Names of cameras, perhaps with the height and width of their images in pixels."""


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
    cameras: Cameras = (),
) -> np.ndarray:
    """Draw the camera mosaic beside the bird's-eye view; returns an RGB picture (H, W, 3) uint8 with even sides.

    Args:
        images: RGB image per camera name; cameras outside nuScenes' layout fill further cells in their order.
        projections: (4, 4) matrix from bev metres to that image's pixels per camera name.
        predictions: Boxes to draw in class colours, here and in bird's-eye view.
        truth: Ground truth: white outlines in bird's-eye view; also drawn on the cameras if there are no predictions.
        points: LiDAR points (P, 3+) in the bev frame.
        extent: Metres shown in each direction.
        title: Stands above.
        camera_width: Width of a camera's image, pixels.
        forward: Direction in the bev frame that is up in bird's-eye view.
        cameras: All cameras of the rig, so that the frames of a video have one size: one without an image is a dark
            cell. With sizes, cells have these proportions, and other images are fitted into them; without, a missing
            camera's is taken to be that of the first image.
    """
    sizes = image_sizes(images, cameras)
    rows = camera_rows(list(sizes))
    shown = predictions if predictions is not None else truth
    widths = _cell_widths(rows, camera_width)
    cells = [
        [
            _camera_cell(name, images[name], projections[name], shown, _scaled(sizes[name], width))
            if name in images
            else missing_camera(name, _scaled(sizes[name], width))
            for name, width in zip(row, cell_widths, strict=True)
        ]
        for row, cell_widths in zip(rows, widths, strict=True)
    ]
    mosaic = _mosaic(cells)
    panel = draw_bev(mosaic.shape[0], extent, predictions, truth, points, forward)
    body = join([mosaic, panel], axis=1)
    present = set(shown.names) if shown is not None else set()
    entries = {name: colour for name, colour in CLASS_COLOURS.items() if name in present}
    return even(np.concatenate([title_strip(body.shape[1], title, entries, CLASS_COLOURS), body], axis=0))


def image_sizes(images: Mapping[str, np.ndarray], cameras: Cameras = ()) -> dict[str, tuple[int, int]]:
    """Height and width of the image of every camera, those of a list and those that images are of.

    Sizes that are given count; of a name alone, that of its image, or of the first image if it has none.
    """
    present = {name: (image.shape[0], image.shape[1]) for name, image in images.items()}
    first = next(iter(present.values()), USUAL_SIZE)
    if isinstance(cameras, Mapping):
        return {**cameras, **{name: size for name, size in present.items() if name not in cameras}}
    return {**dict.fromkeys(cameras, first), **present}


def camera_rows(names: list[str]) -> list[list[str]]:
    """Names of cameras in the order of a picture: nuScenes' and Waymo's rows, then others by threes."""
    rows = [[name for name in row if name in names] for row in (*NUSCENES_LAYOUT, *WAYMO_LAYOUT)]
    rest = [name for name in names if not any(name in row for row in rows)]
    rows += [rest[start : start + 3] for start in range(0, len(rest), 3)]
    return [row for row in rows if row]


def _cell_widths(rows: list[list[str]], width: int) -> list[list[int]]:
    """Widths of the images of each row: `width`, or wider where a whole row has fewer cameras than others."""
    count = max(map(len, rows))
    total = count * width + (count - 1) * GAP
    return [
        [size[1] for size in row_sizes([1.0] * len(row), total)]
        if tuple(row) in (*NUSCENES_LAYOUT, *WAYMO_LAYOUT)
        else [width] * len(row)
        for row in rows
    ]


def _camera_cell(
    name: str, image: np.ndarray, pix_T_bev: np.ndarray, boxes: BoxSet | None, size: tuple[int, int]
) -> np.ndarray:
    """An image with boxes, as large as a cell of this height and width has room for."""
    whole = _scaled((image.shape[0], image.shape[1]), size[1])
    scale = size[1] / image.shape[1] if whole[0] <= size[0] else size[0] / image.shape[0]
    resized = fit(image, (min(whole[0], size[0]), round(image.shape[1] * scale)))
    if boxes is not None:
        resized = draw_boxes_on_image(resized, boxes, np.diag([scale, scale, 1.0, 1.0]) @ pix_T_bev)
    return caption(_filled(resized, *size), camera_caption(name))


def _scaled(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Height and width of an image of this size, scaled to a width."""
    return round(size[0] * (width / size[1])), width


def _mosaic(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Rows of images one below the other, filled up at their right and lower ends."""
    joined = [join([_filled(cell, max(map(len, row)), cell.shape[1]) for cell in row], axis=1) for row in rows]
    width = max(row.shape[1] for row in joined)
    return np.concatenate([_filled(row, len(row) + GAP, width) for row in joined])


def _filled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    canvas = np.full((height, width, 3), BACKGROUND, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas
