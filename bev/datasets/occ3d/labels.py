"""Occupancy labels: their files, and what an augmentation of the bev frame does to them.

Shapes: X, Y, Z voxels.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bev.datasets.npz_files import ArrayFileError, read_arrays, write_arrays
from bev.datasets.occ3d.classes import CLASSES, GRID, UNKNOWN
from bev.datasets.text_files import file_part
from bev.errors import InputError
from bev.geometry import transform_points
from bev.geometry.voxels import VoxelGrid

FOLDER = "gts"
FILE_NAME = "labels.npz"
_ARRAYS = ("semantics", "mask_lidar", "mask_camera")
_SHOWN = 3


class OccupancyLabelError(InputError):
    """Label files that are missing or damaged; the message names them."""


@dataclass(frozen=True, eq=False)
class OccupancyLabels:
    """Voxels of one sample.

    Attributes:
        semantics: (X, Y, Z) uint8, positions in `CLASSES`, or `UNKNOWN`.
        mask_lidar: (X, Y, Z) bool, voxels that LiDAR rays reached.
        mask_camera: (X, Y, Z) bool, voxels that camera rays reach.
        grid: Where the voxels are.
    """

    semantics: np.ndarray
    mask_lidar: np.ndarray
    mask_camera: np.ndarray
    grid: VoxelGrid = GRID

    def transformed(self, aug_T_bev: np.ndarray) -> OccupancyLabels:
        """The labels in an augmented bev frame, on the same grid.

        Each voxel takes the label at the place where its centre was. Flips and quarter turns are therefore exact, and
        so is their way back; other rotations, and scales, resample to the nearest voxel. Voxels that come from outside
        the grid are `UNKNOWN` and in neither mask.

        Args:
            aug_T_bev: (4, 4).
        """
        before = transform_points(self.grid.centres(), np.linalg.inv(aug_T_bev))
        # A centre that lands on a boundary by rounding alone belongs to the voxel that it would have without rounding.
        index, inside = self.grid.indices(np.round(before, 9))
        i, j, k = np.moveaxis(index, -1, 0)
        return OccupancyLabels(
            np.where(inside, self.semantics[i, j, k], np.uint8(UNKNOWN)),
            inside & self.mask_lidar[i, j, k],
            inside & self.mask_camera[i, j, k],
            self.grid,
        )


def label_path(root: str | os.PathLike, scene: str, token: str) -> Path:
    """Where Occ3D keeps the labels of a sample: `gts/SCENE/TOKEN/labels.npz` under the data root."""
    folder = Path(root) / FOLDER
    return folder / file_part(scene, folder) / file_part(token, folder) / FILE_NAME


def write_labels(path: str | os.PathLike, labels: OccupancyLabels) -> None:
    """Writes a file in the format of Occ3D, atomically.

    Raises:
        OSError: it could not be written.
    """
    write_arrays(path, {name: getattr(labels, name).astype(np.uint8) for name in _ARRAYS})


def read_labels(path: str | os.PathLike, grid: VoxelGrid = GRID) -> OccupancyLabels:
    """Reads a label file.

    Args:
        path: an Occ3D `labels.npz`.
        grid: where its voxels are; its arrays must have this shape.

    Raises:
        OccupancyLabelError: the file is missing, damaged, or holds something else.
    """
    try:
        arrays = read_arrays(path, _ARRAYS)
    except FileNotFoundError:
        raise OccupancyLabelError(f"{path}: no such file; put Occ3D's gts folder under the data root") from None
    except (OSError, ArrayFileError) as error:
        raise OccupancyLabelError(f"{path}: not an occupancy label file ({error}); download it again") from error
    for name, array in arrays.items():
        if array.shape != grid.shape:
            raise OccupancyLabelError(f"{path}: {name} has shape {array.shape}, expected {grid.shape}")
        if array.dtype.kind not in "biu":
            raise OccupancyLabelError(f"{path}: {name} holds {array.dtype}, expected whole numbers")
    semantics = arrays["semantics"]
    wrong = ((semantics < 0) | (semantics >= len(CLASSES))) & (semantics != UNKNOWN)
    if wrong.any():
        raise OccupancyLabelError(f"{path}: label {semantics[wrong][0]} in semantics; there are 0..17 and 255")
    return OccupancyLabels(
        semantics.astype(np.uint8), arrays["mask_lidar"].astype(bool), arrays["mask_camera"].astype(bool), grid
    )


def find_labels(root: str | os.PathLike, tokens: Collection[str]) -> dict[str, Path]:
    """Label files of samples, by token.

    Args:
        root: data root; its folder `gts` is listed once.
        tokens: the samples that need labels.

    Raises:
        OccupancyLabelError: the folder or files are missing; the first few are named.
    """
    folder = Path(root) / FOLDER
    if not folder.is_dir():
        raise OccupancyLabelError(
            f"{folder}: no such folder; it holds Occ3D's labels (gts/SCENE/TOKEN/{FILE_NAME}); download them, or make "
            "those of the synthetic world with tools/create_data.py synthetic-occupancy"
        )
    scenes = [scene.path for scene in os.scandir(folder) if scene.is_dir()]
    found = {entry.name: Path(entry.path) / FILE_NAME for scene in scenes for entry in os.scandir(scene)}
    missing = sorted(token for token in tokens if token not in found)
    if missing:
        shown = ", ".join(missing[:_SHOWN])
        raise OccupancyLabelError(
            f"{folder}: no labels for {len(missing)} of {len(tokens)} samples, such as {shown}; download them, or "
            "build them with tools/create_data.py occupancy"
        )
    return {token: found[token] for token in tokens}
