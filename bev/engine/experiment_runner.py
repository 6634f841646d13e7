"""mmengine's runner, in which a run continues where it was, whatever the number of processes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch.utils.data import DataLoader

from bev.engine.dataset_errors import reading_annotations
from bev.engine.epoch_loop import ContinuableEpochLoop
from bev.engine.pace import FreshSchedule, Pace, adopt_progress, optim_wrappers, samples_per_iteration
from bev.errors import InputError

EPOCH_LOOPS = ("EpochBasedTrainLoop", "mmengine.EpochBasedTrainLoop", EpochBasedTrainLoop)


class _OwnUse(logging.Filter):
    """Holds back mmengine's warnings of names that its own checkpoint hook uses, which no config can change."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        return not record.getMessage().startswith(('"FileClient" will be', '"HardDiskBackend" is'))


class ExperimentRunner(Runner):
    """mmengine's runner; it also tells whose annotations can't be read, and scales by accumulated gradients, too."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """As mmengine's, without warnings that nobody here can heed."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(_OwnUse())
        return logger

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """As mmengine's.

        Raises:
            AnnotationFileError: If a data set of another package fails while it reads its annotations.
            OSError: If a file isn't there.
        """
        with reading_annotations(dataloader):
            return Runner.build_dataloader(dataloader, seed, diff_rank_seed)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """As mmengine's, with a loop by epochs that can start within one."""
        if isinstance(loop, Mapping) and (loop.get("type") in EPOCH_LOOPS or loop.get("by_epoch")):
            settings = {key: value for key, value in loop.items() if key not in ("type", "by_epoch")}
            return ContinuableEpochLoop(self, self._train_dataloader, **settings)
        return super().build_train_loop(loop)

    def scale_lr(self, optim_wrapper: OptimWrapper | OptimWrapperDict, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate to the samples of an optimizer step: those of all iterations that it accumulates.

        Args:
            optim_wrapper: Just built, without schedules.
            auto_scale_lr: Has `base_batch_size`, the samples per step that the config's learning rate is meant for, and
                is without effect unless `enable` is set.

        Raises:
            InputError: If the base is missing.
        """
        if not auto_scale_lr or not auto_scale_lr.get("enable"):
            return
        base = auto_scale_lr.get("base_batch_size")
        if not base:
            raise InputError("auto_scale_lr needs a base_batch_size: the samples per step that the lr is meant for")
        for wrapper in optim_wrappers(optim_wrapper):
            iterations = wrapper._accumulative_counts
            samples = samples_per_iteration(self) * iterations
            self.logger.info(
                f"LR is set based on {base} samples per optimizer step, and a step has {samples}, in {iterations} "
                f"iteration{'s' * (iterations > 1)}. Scaling the original LR by {samples / base}."
            )
            for group in wrapper.optimizer.param_groups:
                group["lr"] *= samples / base

    def save_checkpoint(self, *args: Any, meta: dict | None = None, **kwargs: Any) -> None:
        """As mmengine's, with the run's pace."""
        super().save_checkpoint(*args, meta={**(meta or {}), **Pace.of(self).record()}, **kwargs)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict:
        """As mmengine's."""
        checkpoint = super().load_checkpoint(*args, **kwargs)
        self._loaded_meta = checkpoint.get("meta", {})
        return checkpoint

    def resume(self, *args: Any, **kwargs: Any) -> None:
        """As mmengine's, at this run's own pace and within an epoch if need be.

        Raises:
            InputError: If the checkpoint's place can't be found at this pace.
        """
        fresh = FreshSchedule(self)
        super().resume(*args, **kwargs)
        adopt_progress(self, self._loaded_meta, fresh)
