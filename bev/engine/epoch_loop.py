"""A training loop by epochs that can start within one: after the batches that the run it continues has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from bev.errors import InputError


class RemainingBatches:
    """A batch sampler without its first batches, the first time; whole from then on.

    Args:
        batches: The batch sampler.
        seen: Number of batches to leave out.
    """

    def __init__(self, batches: Any, seen: int) -> None:
        self.batches = batches
        self.sampler = getattr(batches, "sampler", None)  # which mmengine tells the epoch
        self._seen = seen

    def __iter__(self) -> Iterator[Any]:
        # Runs when the first batch is asked for: loaders with workers make two iterators and use the second.
        seen, self._seen = self._seen, 0
        yield from islice(self.batches, seen, None)

    def __len__(self) -> int:
        return len(self.batches)


@LOOPS.register_module()
class ContinuableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop, in which the first epoch may lack batches at its start: `EpochBasedTrainLoop` in configs."""

    seen = 0

    def skip_batches(self, seen: int) -> None:
        """Leave out the first batches of the first epoch; their indices are drawn, their data isn't read.

        Raises:
            InputError: If the loader has no batch sampler.
        """
        if self.dataloader.batch_sampler is None:
            raise InputError(
                "a data loader without batches of samples can't go on within an epoch: "
                "resume from a checkpoint made at the end of one"
            )
        self.seen = seen
        # Loaders refuse another batch sampler, for the sake of iterators; there are none before the first epoch.
        self.dataloader.__dict__["batch_sampler"] = RemainingBatches(self.dataloader.batch_sampler, seen)

    def run_epoch(self) -> None:
        """As mmengine's; batches keep their numbers within the epoch."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        for index, batch in enumerate(self._batches(), self.seen):
            self.run_iter(index, batch)
        self.seen = 0
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def _batches(self) -> Iterator[Any]:
        """An iterator of the loader, which draws its workers' seed once an epoch, even if that is interrupted."""
        loader: Iterable[Any] = self.dataloader
        if not self.seen:
            return iter(loader)
        with torch.random.fork_rng(devices=[]):
            return iter(loader)
