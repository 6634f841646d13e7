"""What a finished training leaves beside its checkpoints: plain weights and the time it took."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from bev.datasets.atomic import atomic_write
from bev.datasets.text_files import write_json
from bev.engine.sharding import gather


@HOOKS.register_module()
class TrainingSummaryHook(Hook):
    """Writes `final.pth` (weights alone; the averaged ones where a run has EMA) and `train_time.json`.

    The time counts training epochs only, not evaluation, and continues over resumes.
    """

    priority = "LOWEST"

    def __init__(self) -> None:
        self._seconds = 0.0
        self._start: float | None = None

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop the clock."""
        if self._start is not None:
            self._seconds += time.monotonic() - self._start
            self._start = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the time so far, with the running epoch's share."""
        running = time.monotonic() - self._start if self._start is not None else 0.0
        checkpoint["train_seconds"] = self._seconds + running

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Continue the time of the run that is resumed."""
        if runner._resume:
            self._seconds = checkpoint.get("train_seconds", 0.0)

    def after_train(self, runner: Runner) -> None:
        """Write both files, each atomically."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        averaged = next((hook.ema_model for hook in runner.hooks if hasattr(hook, "ema_model")), None)
        weights = gather(dict((model if averaged is None else averaged.module).state_dict()))
        if is_main_process():
            self._write(runner, {"state_dict": weights, "meta": {"epoch": runner.epoch, "iter": runner.iter}})

    def _write(self, runner: Runner, checkpoint: dict) -> None:
        work_dir = Path(runner.work_dir)
        with atomic_write(work_dir / "final.pth") as file:
            torch.save(checkpoint, file)
        write_json(work_dir / "train_time.json", {"train_seconds": round(self._seconds, 1)})
