"""Which faces of voxels a pinhole camera sees, compiled.

Shapes: X, Y, Z voxels; N points of an image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bev.geometry.compiled import in_parallel, jit
from bev.geometry.voxel_rays import first_hit

BACK_OFF = 1e-3
"""Rays from outside the grid start this many units of depth before it, so that they enter it by a step."""


@dataclass(frozen=True)
class VisibleFaces:
    """The faces of voxels that points of an image show.

    Attributes:
        labels: (N,) uint8, label of the voxel, or that of free space.
        faces: (N,) uint8, 2 * axis for the face at the voxel's low end along x, y or z, 2 * axis + 1 for the high end.
        layers: (N,) int16, where along its axis the face is, voxel coordinates.
        depths: (N,) float32, in the units of the projection's last row.

    Where nothing is hit, `faces` and `layers` are 0 and `depths` infinite.
    """

    labels: np.ndarray
    faces: np.ndarray
    layers: np.ndarray
    depths: np.ndarray


def pixel_rays(pix_T_voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of a pinhole and the rays of its pixels.

    Args:
        pix_T_voxels: (4, 4), from voxel coordinates to (u * d, v * d, d, 1).

    Returns:
        (3,) and (3, 3) float64: pixel (u, v) shows `eye + d * rays @ (u, v, 1)` at depth d, voxel coordinates.
    """
    rays = np.linalg.inv(np.asarray(pix_T_voxels, dtype=np.float64)[:3, :3])
    return -rays @ pix_T_voxels[:3, 3], rays


def visible_faces(
    voxels: np.ndarray, free: int, pix_T_voxels: np.ndarray, pixels: np.ndarray, threads: int | None = None
) -> VisibleFaces:
    """Cast a ray through each of some points of an image.

    A camera inside of voxels that aren't free looks through them up to the first free one.

    Args:
        voxels: (X, Y, Z) uint8 labels.
        free: The label that rays pass.
        pix_T_voxels: (4, 4) projection from voxel coordinates to (u * d, v * d, d, 1).
        pixels: (N, 2), columns u and rows v.
        threads: Number of threads; that of the processor's cores by default.
    """
    voxels = np.ascontiguousarray(voxels, dtype=np.uint8)
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    eye, rays = pixel_rays(pix_T_voxels)
    arrays = [np.empty(len(pixels), dtype) for dtype in (np.uint8, np.uint8, np.int16, np.float32)]

    def cast(part: slice) -> None:
        _cast(voxels, np.uint8(free), eye, rays, pixels[part], *(array[part] for array in arrays))

    in_parallel(cast, len(pixels), threads)
    return VisibleFaces(*arrays)


@jit
def _cast(voxels, free, eye, rays, pixels, labels, faces, layers, depths):
    origin, direction = np.empty(3), np.empty(3)
    for n in range(len(pixels)):
        for a in range(3):
            direction[a] = rays[a, 0] * pixels[n, 0] + rays[a, 1] * pixels[n, 1] + rays[a, 2]
        labels[n], faces[n], layers[n], depths[n] = free, 0, 0, np.inf
        start = max(_grid_entry(voxels.shape, eye, direction) - BACK_OFF, 0.0)
        if start < np.inf:
            for a in range(3):
                origin[a] = eye[a] + start * direction[a]
            label, axis, reached, _ = first_hit(voxels, free, origin, direction, False)
            if label != free:
                labels[n], depths[n] = label, start + reached
                faces[n] = 2 * axis + (direction[axis] < 0.0)
                layers[n] = np.floor(origin[axis] + reached * direction[axis] + 0.5)


@jit
def _grid_entry(shape, origin, direction):
    """Parameter at which a ray enters the grid, 0 if it starts inside, infinite if it misses the grid."""
    enter, leave = 0.0, np.inf
    for a in range(3):
        if direction[a] == 0.0:
            if origin[a] < 0.0 or origin[a] > shape[a]:
                return np.inf
        else:
            low, high = -origin[a] / direction[a], (shape[a] - origin[a]) / direction[a]
            enter, leave = max(enter, min(low, high)), min(leave, max(low, high))
    return enter if enter <= leave else np.inf
