"""Occupancy of one frame as a picture: the cameras, then prediction and truth as the driver and as a bird sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bev.datasets.occ3d.classes import CLASSES, COLOURS, GRID
from bev.errors import InputError
from bev.geometry.cameras import image_affine
from bev.geometry.voxels import VoxelGrid
from bev.visualization.frame import Cameras, camera_rows, image_sizes
from bev.visualization.layout import (
    GAP,
    camera_caption,
    caption,
    even,
    fit,
    join,
    legend,
    missing_camera,
    row_sizes,
    title_strip,
)
from bev.visualization.overview import overview_projection
from bev.visualization.palette import EGO, SKY
from bev.visualization.voxels import LABEL_COLOURS, render_voxels

DRIVER = "CAM_FRONT"
OVERVIEW_ASPECT = 16 / 9

EGO_LABEL = 254
EGO_BOUNDS = np.array([[-0.7, -0.9, 0.2], [3.3, 0.9, 1.8]])
"""The vehicle in the ego frame of nuScenes, whose origin is below the middle of the rear axle; metres."""

LEGEND = {**dict(zip(CLASSES, COLOURS, strict=False)), "ego vehicle": EGO}


@dataclass(frozen=True)
class _Cell:
    """Part of a picture: its width by its height, and what draws it at a size (height, width)."""

    aspect: float
    draw: Callable[[tuple[int, int]], np.ndarray]


def draw_occupancy(
    images: Mapping[str, np.ndarray],
    projections: Mapping[str, np.ndarray],
    prediction: np.ndarray | None,
    truth: np.ndarray | None = None,
    *,
    grid: VoxelGrid = GRID,
    title: str = "",
    width: int = 1920,
    threads: int | None = None,
    cameras: Cameras = (),
) -> np.ndarray:
    """Draw a frame; its size doesn't depend on what the voxels are, so that frames of a video have one size.

    Args:
        images: RGB image per camera name; none for bird's-eye views alone. The driver's view is that of CAM_FRONT, or
            of the first image.
        projections: (4, 4) matrix from metres in the grid's frame to that image's pixels per camera name.
        prediction: (X, Y, Z) labels, or None.
        truth: (X, Y, Z) labels, or None.
        grid: Where the voxels are, in the ego frame.
        title: Stands above; no line for it if it is empty.
        width: Of the picture, pixels; an odd one grows by one.
        threads: Number of threads; that of the processor's cores by default.
        cameras: All cameras of the rig: one without an image is a dark cell. Where its image's size isn't given, it is
            taken to be that of the first image.

    Returns:
        (H, W, 3) uint8, RGB, with even sides.

    Raises:
        InputError: If there is neither prediction nor truth, or one hasn't the grid's shape.
    """
    shown = {"prediction": prediction, "ground truth": truth}
    voxels = {name: array for name, array in shown.items() if array is not None}
    if not voxels:
        raise InputError("there is neither a prediction nor a ground truth to draw")
    rows = _rows(images, projections, voxels, grid, threads, cameras)
    body = join([_draw_row(row, width) for row in rows], axis=0)
    header = [title_strip(width, title, {})] if title else []
    return even(np.concatenate([*header, body, legend(width, LEGEND)], axis=0))


def _rows(
    images: Mapping[str, np.ndarray],
    projections: Mapping[str, np.ndarray],
    voxels: Mapping[str, np.ndarray],
    grid: VoxelGrid,
    threads: int | None,
    cameras: Cameras,
) -> list[list[_Cell]]:
    """The cameras, what the driver sees beside the front camera, and bird's-eye views."""
    overviews = [_overview_cell(name, array, grid, threads) for name, array in voxels.items()]
    if not images:
        return [overviews]
    sizes = image_sizes(images, cameras)
    order = [name for row in camera_rows(list(sizes)) for name in row]
    driver = DRIVER if DRIVER in images else next(name for name in order if name in images)
    camera = _camera_cell(driver, images[driver])
    views = [
        _driver_cell(name, array, grid, images[driver], projections[driver], threads) for name, array in voxels.items()
    ]
    row = [_camera_cell(name, images[name]) if name in images else _missing_cell(name, sizes[name]) for name in order]
    if len(voxels) == 1:
        return [row, [*overviews, _stack(camera, views[0])]]
    return [row, [views[0], camera, views[1]], overviews]


def with_ego(voxels: np.ndarray, grid: VoxelGrid = GRID) -> np.ndarray:
    """Voxels (X, Y, Z) with those in the vehicle's own box labelled `EGO_LABEL`, where the grid holds it."""
    first, end = np.clip(np.round(grid.to_voxels(EGO_BOUNDS)).astype(int), 0, grid.shape)
    marked = voxels.copy()
    marked[first[0] : end[0], first[1] : end[1], first[2] : end[2]] = EGO_LABEL
    return marked


def _draw_row(cells: list[_Cell], width: int) -> np.ndarray:
    sizes = row_sizes([cell.aspect for cell in cells], width)
    return join([cell.draw(size) for cell, size in zip(cells, sizes, strict=True)], axis=1)


def _stack(above: _Cell, below: _Cell) -> _Cell:
    """Two cells of one aspect as one."""

    def draw(size: tuple[int, int]) -> np.ndarray:
        upper = (size[0] - GAP) // 2
        return join([above.draw((upper, size[1])), below.draw((size[0] - GAP - upper, size[1]))], axis=0)

    return _Cell(above.aspect / 2, draw)


def _camera_cell(name: str, image: np.ndarray) -> _Cell:
    aspect = image.shape[1] / image.shape[0]
    return _Cell(aspect, lambda size: caption(fit(image, size), camera_caption(name)))


def _missing_cell(name: str, size: tuple[int, int]) -> _Cell:
    return _Cell(size[1] / size[0], lambda cell_size: missing_camera(name, cell_size))


def _driver_cell(
    name: str, voxels: np.ndarray, grid: VoxelGrid, image: np.ndarray, pix_T_bev: np.ndarray, threads: int | None
) -> _Cell:
    """Voxels in the pixels of an image."""
    height, width = image.shape[:2]

    def draw(size: tuple[int, int]) -> np.ndarray:
        projection = image_affine(scale=(size[1] / width, size[0] / height)) @ pix_T_bev
        picture = render_voxels(voxels, projection, size, grid=grid, background=SKY, threads=threads)
        return caption(picture, f"{name}, driver's view")

    return _Cell(width / height, draw)


def _overview_cell(name: str, voxels: np.ndarray, grid: VoxelGrid, threads: int | None) -> _Cell:
    """Voxels from above and behind, with the vehicle."""

    def draw(size: tuple[int, int]) -> np.ndarray:
        colours = {**LABEL_COLOURS, EGO_LABEL: EGO}
        projection = overview_projection(grid.bounds, size)
        picture = render_voxels(with_ego(voxels, grid), projection, size, colours=colours, grid=grid, threads=threads)
        return caption(picture, f"{name}, bird's-eye view")

    return _Cell(OVERVIEW_ASPECT, draw)
