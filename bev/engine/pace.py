"""The pace of a training: how many samples its iterations and steps have, and what another one means for a resumed run.

Learning rate, schedules and the number of iterations depend on the batch size, the number of processes and gradient
accumulation. A run that is resumed at another pace goes on as if it had had that pace from its start.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from bev.engine.epoch_loop import ContinuableEpochLoop
from bev.errors import InputError

REMEDY = "resume with the same batch size, number of processes and data, or start a new run with --load-from"


@dataclass(frozen=True)
class Pace:
    """Counts that checkpoints tell of their run.

    Attributes:
        samples_per_iteration: Of all processes together.
        iterations_per_step: Iterations whose gradients the optimizer accumulates.
        iterations_per_epoch: Batches of one process; None where a run isn't counted in epochs.
    """

    samples_per_iteration: int
    iterations_per_step: int
    iterations_per_epoch: int | None

    @classmethod
    def of(cls, runner: Runner) -> Pace:
        """Pace of a runner that is ready to train."""
        steps = max(wrapper._accumulative_counts for wrapper in optim_wrappers(runner.optim_wrapper))
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        return cls(samples_per_iteration(runner), steps, len(loop.dataloader) if by_epoch else None)

    @classmethod
    def recorded(cls, meta: Mapping[str, Any]) -> Pace | None:
        """Pace that a checkpoint's `meta` tells; None where it tells none."""
        counts = meta.get("pace")
        return None if counts is None else cls(**counts)

    def record(self) -> dict[str, Any]:
        """What goes into a checkpoint's `meta`."""
        return {"pace": asdict(self)}

    def __str__(self) -> str:
        epoch = "" if self.iterations_per_epoch is None else f" x {self.iterations_per_epoch} iterations per epoch"
        return f"{self.samples_per_iteration} samples per iteration x {self.iterations_per_step} per step{epoch}"


def samples_per_iteration(runner: Runner) -> int:
    """Samples of all processes, as the config's batch size tells: loaders with a batch sampler don't know it."""
    loader = runner._train_dataloader
    return runner.world_size * (loader.batch_size if isinstance(loader, DataLoader) else loader["batch_size"])


def optim_wrappers(optim_wrapper: OptimWrapper | OptimWrapperDict) -> list[OptimWrapper]:
    """The wrapper itself, or those that it holds."""
    return list(optim_wrapper.values()) if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]


class FreshSchedule:
    """Learning rates and schedules of a runner as they were built: of its own config, before a checkpoint is loaded."""

    def __init__(self, runner: Runner) -> None:
        self.groups = [{key: group[key] for key in group if key != "params"} for group in _groups(runner)]
        self.schedulers = [copy.deepcopy(scheduler.state_dict()) for scheduler in _schedulers(runner)]

    def replay(self, runner: Runner, iterations: int, epochs: int, iterations_per_epoch: int) -> None:
        """Bring a runner's learning rates and schedules to where they are after so many iterations and epochs."""
        for group, settings in zip(_groups(runner), self.groups, strict=True):
            group.update(settings)
        schedulers = _schedulers(runner)
        for scheduler, state in zip(schedulers, self.schedulers, strict=True):
            scheduler.load_state_dict(copy.deepcopy(state))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected call of `scheduler.step")  # no optimizer steps in between
            for iteration in range(1, iterations + 1):
                epoch, rest = divmod(iteration, iterations_per_epoch)
                for scheduler in schedulers:
                    if not scheduler.by_epoch or (rest == 0 and epoch <= epochs):
                        scheduler.step()


def adopt_progress(runner: Runner, meta: Mapping[str, Any], fresh: FreshSchedule) -> None:
    """Let a runner that has loaded a checkpoint go on from there at its own pace, within an epoch if need be.

    Args:
        runner: Has resumed, as mmengine does.
        meta: Of the checkpoint.
        fresh: Its schedule before that.

    Raises:
        InputError: If the checkpoint's place can't be found at this pace.
    """
    own, recorded = Pace.of(runner), Pace.recorded(meta)
    if recorded is not None and recorded != own:
        _change_pace(runner, recorded, own, fresh)
    loop, length = runner.train_loop, own.iterations_per_epoch
    seen = 0 if length is None else loop._iter - loop._epoch * length
    if seen == 0:
        return
    if recorded is None or not isinstance(loop, ContinuableEpochLoop):
        raise InputError(
            f"{_name(runner)} was made at iteration {loop._iter} in epoch {loop._epoch + 1}, from where a run with "
            f"{length} iterations per epoch can't go on; {REMEDY}"
        )
    loop.skip_batches(seen)
    runner.logger.info(f"epoch {loop._epoch + 1} goes on after {seen} of its {length} iterations")


def _change_pace(runner: Runner, recorded: Pace, own: Pace, fresh: FreshSchedule) -> None:
    loop = runner.train_loop
    if own.iterations_per_epoch is None or recorded.iterations_per_epoch is None:
        raise InputError(_refusal(runner, recorded, own, "only a run that counts epochs can change these numbers"))
    epochs, rest = divmod(loop._iter, recorded.iterations_per_epoch)
    if rest:
        raise InputError(_refusal(runner, recorded, own, "they can't change within an epoch"))
    if any(getattr(scheduler, "need_val_args", False) for scheduler in _schedulers(runner)):
        raise InputError(_refusal(runner, recorded, own, "they can't change under a schedule that follows metrics"))
    loop._iter = epochs * own.iterations_per_epoch
    fresh.replay(runner, loop._iter, loop._epoch, own.iterations_per_epoch)
    runner.logger.info(
        f"resumed with {own} in place of {recorded}: at iteration {loop._iter}, with learning rate and schedules of a "
        "run that had these numbers from its start"
    )


def _refusal(runner: Runner, recorded: Pace, own: Pace, reason: str) -> str:
    return f"{_name(runner)} is of a run with {recorded}, and this run has {own}; {reason}: {REMEDY}"


def _name(runner: Runner) -> str:
    return f"checkpoint {runner._load_from or 'of the work dir'}"


def _groups(runner: Runner) -> list[dict[str, Any]]:
    return [group for wrapper in optim_wrappers(runner.optim_wrapper) for group in wrapper.param_groups]


def _schedulers(runner: Runner) -> list[Any]:
    found = runner.param_schedulers or []
    return [one for group in found.values() for one in group] if isinstance(found, dict) else list(found)
