"""Occupancy metrics in a validation loop: counts per sample, so that no voxels pile up in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmengine.registry import METRICS

from bev.datasets.index_io import read_samples
from bev.datasets.occ3d.labels import OccupancyLabels
from bev.datasets.occ3d.submission import write_prediction
from bev.errors import InputError
from bev.evaluation.occupancy_counts import OccupancyCounts, count_sample
from bev.evaluation.ray_iou import RAY_FIELDS, ray_origins
from bev.evaluation.sample_metric import SampleMetric


@METRICS.register_module()
class OccupancyMetric(SampleMetric):
    """mIoU with each mask, RayIoU, and the F-score where asked for.

    All figures come side by side with the mask of the training, because training on visible voxels alone raises the
    mIoU on them by thick surfaces, which RayIoU does not reward.

    Args:
        data_root: Folder of the index.
        ann_file: Index of the samples, which knows where the LiDAR was along each scene; for RayIoU.
        ray_iou: Whether to cast rays.
        fscore: Whether to compute F-scores, a fifth of a second per sample and mask.
        training_mask: Which voxels the model was trained on, for the report: "camera", "lidar" or None for all.
        output_dir: Folder that gets each sample's prediction as `TOKEN.npz`, for `tools/submit.py occupancy`.
        format_only: Write predictions and evaluate nothing, for samples without labels.
        collect_device: Where results of several processes meet, "cpu" or "gpu".
        prefix: Stands before the names of the numbers.

    Raises:
        InputError: If predictions would neither be written nor evaluated.
    """

    default_prefix = "occupancy"

    def __init__(
        self,
        data_root: str = "",
        ann_file: str | None = None,
        ray_iou: bool = True,
        fscore: bool = False,
        training_mask: str | None = None,
        output_dir: str | None = None,
        format_only: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(output_dir, format_only, collect_device, prefix)
        if ray_iou and not format_only and ann_file is None:
            raise InputError("OccupancyMetric needs ann_file (the index of the samples) for RayIoU; or ray_iou=False")
        self.index = None if ann_file is None else Path(data_root) / ann_file
        self.ray_iou, self.fscore, self.training_mask = ray_iou, fscore, training_mask
        self._origins: dict[str, np.ndarray] | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Counts, or writes, the predictions of a batch.

        Args:
            data_batch: Not used.
            data_samples: Dicts of samples with `pred_occupancy`, `gt_occupancy` and `sample_token`.
        """
        for sample in data_samples:
            token, prediction = sample["sample_token"], sample["pred_occupancy"].cpu().numpy()
            if self.output_dir is not None:
                write_prediction(self.output_dir, token, prediction)
            self.results.append((token, None if self.format_only else self._count(token, prediction, sample)))

    def _count(self, token: str, prediction: np.ndarray, sample: dict) -> OccupancyCounts:
        truth = sample["gt_occupancy"]
        arrays = (truth[name].cpu().numpy() for name in ("semantics", "mask_lidar", "mask_camera"))
        return count_sample(
            prediction, OccupancyLabels(*arrays), self._origins_of(token) if self.ray_iou else None, self.fscore
        )

    def _origins_of(self, token: str) -> np.ndarray:
        if self._origins is None:
            self._origins = ray_origins(read_samples(str(self.index), *RAY_FIELDS)["data_list"])
        if token not in self._origins:
            raise InputError(f"{self.index}: no sample {token}; RayIoU needs the index that the samples come from")
        return self._origins[token]

    def score(self, by_token: dict[str, OccupancyCounts | None]) -> dict[str, float]:
        """The figures of `OccupancyCounts.summary`."""
        logger = MMLogger.get_current_instance()
        if self.output_dir is not None:
            logger.info(f"{self.output_dir.resolve()}: predictions of {len(by_token)} samples")
        if self.format_only:
            return {}
        counts = sum((entry for entry in by_token.values() if entry is not None), OccupancyCounts())
        logger.info(f"occupancy of {counts.samples} samples, {self._training()}:\n{counts.table()}")
        return counts.summary()

    def _training(self) -> str:
        return "trained on all voxels" if self.training_mask is None else f"trained with the {self.training_mask} mask"
