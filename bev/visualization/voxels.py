"""Voxels as shaded cubes, seen by any pinhole camera.

Shapes: X, Y, Z voxels; H, W pixels; N points of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bev.datasets.occ3d.classes import COLOURS, GRID
from bev.errors import InputError
from bev.geometry.compiled import in_parallel, jit
from bev.geometry.voxel_images import VisibleFaces, pixel_rays, visible_faces
from bev.geometry.voxels import VoxelGrid
from bev.visualization.palette import PANEL

LABEL_COLOURS = dict(enumerate(COLOURS))

PASSED = 255
"""Stands for all labels without a colour: free and unknown space, which rays pass."""

FACE_SHADES = np.array([0.82, 0.74, 0.62, 0.66, 0.45, 1.0])
"""Brightness of the faces at the low and high ends of x, y and z: light from above and a little from behind."""

EDGE_SHADE = 0.72
"""Brightness of the cubes' edges, of that of their faces."""

EDGE_WIDTH = 0.06
"""Of a voxel; edges are at least `EDGE_PIXELS` wide."""

EDGE_PIXELS = 0.8
SMALLEST_OUTLINED, SMALLEST_FULL = 2.5, 7.0
"""Cubes of fewer pixels than the first have no edges, of more than the second full ones; between them, edges fade."""

CONTACT_SHADE = 0.6
"""Brightness where something stands on a face; it fades over half a voxel, and sets things off from the ground."""

SUBPIXELS = np.array([[-0.125, -0.375], [0.375, -0.125], [-0.375, 0.125], [0.125, 0.375]], np.float32)
"""Where rays go through a pixel that shows several faces: a rotated grid, which smooths near-level outlines best."""


def render_voxels(
    voxels: np.ndarray,
    pix_T_bev: np.ndarray,
    size: tuple[int, int],
    *,
    colours: Mapping[int, tuple[int, int, int]] = LABEL_COLOURS,
    grid: VoxelGrid = GRID,
    background: tuple[int, int, int] = PANEL,
    threads: int | None = None,
) -> np.ndarray:
    """Draw voxels.

    Outlines are smoothed: pixels that differ from a neighbour by more than the place on one face get four rays.

    Args:
        voxels: (X, Y, Z) labels; those without a colour, such as free and unknown space, are invisible.
        pix_T_bev: (4, 4) projection from metres in the grid's frame to the picture's pixels.
        size: Height and width of the picture, pixels.
        colours: RGB by label.
        grid: Where the voxels are.
        background: RGB where there are none.
        threads: Number of threads; that of the processor's cores by default.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: If the voxels don't have the grid's shape.
    """
    if voxels.shape != grid.shape:
        raise InputError(f"the voxels have shape {voxels.shape}, expected {grid.shape}")
    palette, drawn_as = _colour_tables(colours, background)
    shown = drawn_as[voxels]
    bev_T_voxels = np.diag([*grid.voxel_size, 1.0])
    bev_T_voxels[:3, 3] = grid.low
    pix_T_voxels = pix_T_bev @ bev_T_voxels

    def look(pixels: np.ndarray) -> tuple[VisibleFaces, np.ndarray]:
        faces = visible_faces(shown, PASSED, pix_T_voxels, pixels, threads)
        return faces, _shade(shown, faces, pix_T_voxels, pixels, palette, threads)

    rows, columns = np.indices(size, dtype=np.float32)
    centres = np.stack([columns, rows], axis=-1).reshape(-1, 2) + np.float32(0.5)
    faces, picture = look(centres)
    outline = np.flatnonzero(_on_outline(faces, size))
    finer = (centres[outline, None] + SUBPIXELS).reshape(-1, 2)
    picture[outline] = look(finer)[1].reshape(-1, len(SUBPIXELS), 3).mean(axis=1)
    return (picture + 0.5).astype(np.uint8).reshape(*size, 3)


def _colour_tables(
    colours: Mapping[int, tuple[int, int, int]], background: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """By label: RGB (256, 3) float32, and the label (256,) uint8 it is drawn as, `PASSED` where it has no colour."""
    labels = list(colours)
    palette = np.zeros((PASSED + 1, 3), np.float32)
    palette[labels], palette[PASSED] = list(colours.values()), background
    drawn_as = np.full(PASSED + 1, PASSED, np.uint8)
    drawn_as[labels] = labels
    return palette, drawn_as


def _on_outline(faces: VisibleFaces, size: tuple[int, int]) -> np.ndarray:
    """Pixels (H * W,) bool of an image that show another label or plane than one of their four neighbours."""
    key = (faces.labels.astype(np.int32) << 24) + (faces.faces.astype(np.int32) << 16) + faces.layers
    key = key.reshape(size)
    outline = np.zeros(size, dtype=bool)
    down, right = key[1:] != key[:-1], key[:, 1:] != key[:, :-1]
    outline[1:] |= down
    outline[:-1] |= down
    outline[:, 1:] |= right
    outline[:, :-1] |= right
    return outline.reshape(-1)


def _shade(
    voxels: np.ndarray,
    faces: VisibleFaces,
    pix_T_voxels: np.ndarray,
    pixels: np.ndarray,
    palette: np.ndarray,
    threads: int | None,
) -> np.ndarray:
    """Colours (N, 3) float32 of points of an image; `palette` (256, 3) float32 has one for every label."""
    eye, rays = pixel_rays(pix_T_voxels)
    solid = np.pad(voxels != PASSED, 1)
    strides = np.array(solid.strides)
    picture = np.empty((len(pixels), 3), np.float32)

    def run(part: slice) -> None:
        seen = faces.labels[part], faces.faces[part], faces.layers[part], faces.depths[part]
        _shade_points(solid.reshape(-1), strides, eye, rays, palette, pixels[part], *seen, picture[part])

    in_parallel(run, len(pixels), threads)
    return picture


@jit
def _shade_points(solid, strides, eye, rays, palette, pixels, labels, faces, layers, depths, picture):
    """Colour points; `solid` (flat, with its strides) is occupancy with a border of one free voxel."""
    direction, place = np.empty(3), np.empty(3)
    for n in range(len(labels)):
        light = 1.0
        if depths[n] < np.inf:
            depth, axis, high = depths[n], faces[n] // 2, faces[n] % 2
            for a in range(3):
                direction[a] = rays[a, 0] * pixels[n, 0] + rays[a, 1] * pixels[n, 1] + rays[a, 2]
                place[a] = eye[a] + depth * direction[a]
            before = (layers[n] + high) * strides[axis]  # of the voxel in front of the face, in `solid`
            first, second = (axis + 1) % 3, (axis + 2) % 3
            edge = 0.0
            for a in (first, second):
                before += (int(np.floor(place[a])) + 1) * strides[a]
                # A step to the next pixel moves the point along its ray as well, as it stays in the face's plane.
                slant = direction[a] / direction[axis]
                across = depth * (rays[a, 0] - slant * rays[axis, 0])
                down = depth * (rays[a, 1] - slant * rays[axis, 1])
                edge = max(edge, _edge(place[a], np.sqrt(across * across + down * down)))
            contact = _contact(solid, before, strides[first], place[first], strides[second], place[second])
            light = FACE_SHADES[faces[n]] * (1.0 - (1.0 - EDGE_SHADE) * edge) * (1.0 - (1.0 - CONTACT_SHADE) * contact)
        for channel in range(3):
            picture[n, channel] = light * palette[labels[n], channel]


@jit
def _edge(place, footprint):
    """How much of a pixel the edges of cubes cover, across one axis.

    Args:
        place: Of the pixel's centre, voxel coordinates.
        footprint: Length that the pixel covers, voxels.
    """
    strength = (1.0 / footprint - SMALLEST_OUTLINED) / (SMALLEST_FULL - SMALLEST_OUTLINED)
    if strength <= 0.0:
        return 0.0
    distance = abs(place - np.floor(place + 0.5))
    half = 0.5 * max(EDGE_WIDTH, EDGE_PIXELS * footprint)
    covered = min(max((half - distance) / footprint + 0.5, 0.0), 1.0)
    return covered * min(strength, 1.0)


@jit
def _contact(solid, before, step_first, first, step_second, second):
    """How close a point of a face is to what stands on it: 1 where it touches it, 0 from half a voxel on.

    Args:
        solid: Flat occupancy.
        before: Index of the voxel in front of the face.
        step_first: From a voxel to the next one along the first axis of the face.
        first: Place of the point along this axis, voxel coordinates.
        step_second: The same for the second axis.
        second: The same for the second axis.
    """
    along_first, along_second = first - np.floor(first), second - np.floor(second)
    near_first, near_second = abs(2.0 * along_first - 1.0), abs(2.0 * along_second - 1.0)
    to_first = step_first if along_first > 0.5 else -step_first
    to_second = step_second if along_second > 0.5 else -step_second
    nearest = 0.0
    if solid[before + to_first]:
        nearest = near_first
    if near_second > nearest and solid[before + to_second]:
        nearest = near_second
    if near_first * near_second > nearest and solid[before + to_first + to_second]:
        nearest = near_first * near_second
    return nearest * nearest
