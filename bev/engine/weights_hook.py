"""Weights that a training starts from, and the check that a resumed checkpoint belongs to the model."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from bev.engine.checkpoint import load_weights


@HOOKS.register_module()
class InitialWeightsHook(Hook):
    """Loads weights once the model is initialised; what the file lacks keeps its initial values.

    Args:
        checkpoint: File in any layout that `load_weights` reads.

    Raises:
        CheckpointError: If a key has another shape, or none fits.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def before_train(self, runner: Runner) -> None:
        """Load the weights, unless the run continues an earlier one, and log what became of each key."""
        if not runner._resume:
            runner.logger.info(str(load_weights(runner.model, self.checkpoint)))


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Refuses to resume from the checkpoint of another model; mmengine itself would log a line and go on."""

    priority = "VERY_HIGH"

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare every key.

        Raises:
            CheckpointError: If a key is missing, unknown or of another shape.
        """
        if runner._resume:
            load_weights(runner.model, checkpoint, strict=True, prefer_ema=False)
