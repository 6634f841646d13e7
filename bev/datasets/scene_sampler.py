"""Samples in the order in which they were recorded, whole scenes per process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class SceneSampler(Sampler[int]):
    """Gives each process a run of whole scenes, for models that remember the last frame (`video_test_mode`).

    Processes with fewer samples repeat their last one, so that all make the same number of steps; metrics have to count
    the first result of a sample only, as `NuScenesNDS` does.

    Args:
        dataset: Has `scene_of(index)`, and its samples sorted by scene and time.
        seed: Not used; mmengine passes one.
    """

    def __init__(self, dataset: Any, seed: int | None = None) -> None:
        rank, world_size = get_dist_info()
        scenes = [dataset.scene_of(index) for index in range(len(dataset))]
        runs = split_scenes(scenes, world_size)
        longest = max(len(run) for run in runs)
        own = list(runs[rank]) or [0]
        self.indices = own + own[-1:] * (longest - len(own))

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def set_epoch(self, epoch: int) -> None:
        """Nothing: the order never changes."""


def split_scenes(scenes: Sequence[str], parts: int) -> list[range]:
    """Consecutive runs of whole scenes, about equally long.

    Args:
        scenes: Scene of each sample; equal ones are adjacent.
        parts: Number of runs; some are empty where there are fewer scenes.
    """
    names = np.asarray(scenes)
    borders = np.concatenate([[0], np.flatnonzero(names[1:] != names[:-1]) + 1, [len(names)]])
    wanted = np.arange(1, parts) * len(names) / parts
    cuts = [0, *(int(borders[np.abs(borders - cut).argmin()]) for cut in wanted), len(names)]
    return [range(begin, end) for begin, end in pairwise(cuts)]
