"""Pictures of occupancy: samples of an index with Occ3D's labels and, if given, predictions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bev.datasets.occ3d.classes import FREE, MASKS
from bev.datasets.occ3d.labels import OccupancyLabels, read_labels
from bev.datasets.occ3d.submission import read_prediction
from bev.errors import InputError
from bev.visualization.occupancy_frame import draw_occupancy
from bev.visualization.painter import SamplePainter


class OccupancyPainter(SamplePainter):
    """Draws the occupancy of samples.

    Args:
        index: Index file, as `tools/create_data.py` writes it.
        root: Data root that its paths start from, with Occ3D's labels under `gts`.
        results: Folder with a `TOKEN.npz` for every sample, as `OccupancyMetric` writes them; ground truth alone
            without it.
        truth: Whether to draw labels; predictions alone otherwise.
        mask: Draw voxels of this mask of the labels only, "camera" for those that cameras see or "lidar".
        threads: Number of threads; that of the processor's cores by default.

    Raises:
        InputError: If there is nothing to draw, the mask is unknown, or it lacks the labels that it comes with.
        OccupancyLabelError: If the folder of the labels, or some of them, are missing.
    """

    def __init__(
        self,
        index: str | Path,
        root: str | Path,
        results: str | Path | None = None,
        truth: bool = True,
        mask: str | None = None,
        threads: int | None = None,
    ) -> None:
        if results is None and not truth:
            raise InputError("there is nothing to draw: without ground truth, give a folder with predictions")
        if mask is not None and (mask not in MASKS or not truth):
            raise InputError(f"the mask {mask!r} must be one of {MASKS} and comes with the ground truth")
        self._threads = threads or os.cpu_count() or 1
        super().__init__(index, root, self._threads, bev_frame="ego", occupancy=truth)
        self._results, self._mask = results, mask

    def draw(self, number: int, width: int = 1920) -> np.ndarray:
        """Draw one sample at this width: RGB (H, W, 3) uint8."""
        clip, images, projections = self._load(number)
        token = clip["sample_token"]
        labels = read_labels(clip["occupancy_path"]) if clip["occupancy_path"] else None
        prediction = None if self._results is None else read_prediction(self._results, token)
        seen = f"   voxels of the {self._mask} mask" if self._mask else ""
        return draw_occupancy(
            images,
            projections,
            self._masked(prediction, labels),
            self._masked(labels.semantics, labels) if labels else None,
            title=f"sample {token[:8]}{seen}",
            width=width,
            threads=self._threads,
            cameras=self.cameras,
        )

    def truth_of(self, number: int) -> np.ndarray:
        """Labels (X, Y, Z) uint8 of a sample.

        Raises:
            OccupancyLabelError: If its file is missing or damaged.
        """
        return read_labels(self._dataset.get_data_info(number)["occupancy_path"]).semantics

    def _masked(self, voxels: np.ndarray | None, labels: OccupancyLabels | None) -> np.ndarray | None:
        if voxels is None or labels is None or self._mask is None:
            return voxels
        mask = labels.mask_camera if self._mask == "camera" else labels.mask_lidar
        return np.where(mask, voxels, np.uint8(FREE))
