"""Several data sets of clips as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Registers `MultiDataSampler`, which draws from the data sets by given shares.
import mmdet.datasets.samplers  # noqa: F401
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import DATASETS

from bev.errors import InputError

SHARED = ("classes", "bev_frame")
"""What one model needs the same in all data sets."""


@DATASETS.register_module()
class MixedClipDataset(ConcatDataset):
    """Data sets of clips one after the other, for training and evaluation on all of them.

    Cameras, image sizes and pipelines may differ; every sample says which data set it comes from (`dataset`), and each
    metric takes its own. `MultiDataSampler` (mmdet) draws from the data sets by given shares.

    Args:
        datasets: Data sets or their configs. They need the same classes (see their `class_mapping`) and bev frame.
        lazy_init: As in mmengine.

    Raises:
        InputError: If they differ in what a model needs the same.
    """

    def __init__(self, datasets: Sequence[BaseDataset | Mapping[str, Any]], lazy_init: bool = False) -> None:
        built: list[BaseDataset] = [
            dataset if isinstance(dataset, BaseDataset) else DATASETS.build(dataset) for dataset in datasets
        ]
        names = [dataset.metainfo["dataset"] for dataset in built]
        for key in SHARED:
            first, *others = (dataset.metainfo[key] for dataset in built)
            for name, other in zip(names[1:], others, strict=True):
                if other != first:
                    raise InputError(f"{key} of {names[0]} is {first}, but that of {name} is {other}")
        own = {key for dataset in built for key in dataset.metainfo} - set(SHARED)
        super().__init__(built, lazy_init, ignore_keys=sorted(own))
        self._metainfo = {key: built[0].metainfo[key] for key in SHARED} | {"datasets": tuple(names)}

    def scene_of(self, idx: int) -> str:
        """The scene that a sample belongs to."""
        dataset, own = self._get_ori_dataset_idx(idx)
        return self.datasets[dataset].scene_of(own)
