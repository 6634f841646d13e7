"""Weights that a training starts from, and the check that a resumed checkpoint belongs to the model."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from bev.engine.checkpoint import CheckpointError, load_weights


@HOOKS.register_module()
class InitialWeightsHook(Hook):
    """Loads weights once the model is initialised; what the file lacks keeps its initial values.

    Args:
        checkpoint: File in any layout that `load_weights` reads, which `tools/train.py --load-from` names. None for a
            model that is meant to start from one: a run without it logs a warning.
        ignore: Beginnings of the model's keys that keep their initial values, such as those of class layers.

    Raises:
        CheckpointError: If a key has another shape, or none fits.
    """

    def __init__(self, checkpoint: str | None, ignore: Sequence[str] = ()) -> None:
        self.checkpoint = checkpoint
        self.ignore = ignore

    def before_train(self, runner: Runner) -> None:
        """Load the weights, unless the run continues an earlier one, and log what became of each key."""
        if runner._resume and runner._has_loaded:  # mmengine "resumes" without a checkpoint, too
            return
        if self.checkpoint is None:
            runner.logger.warning("this config is meant to start from trained weights: give them with --load-from")
        else:
            runner.logger.info(str(load_weights(runner.model, self.checkpoint, ignore=self.ignore)))


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Refuses to resume from the checkpoint of another model; mmengine itself would log a line and go on."""

    priority = "VERY_HIGH"

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare every key.

        Raises:
            CheckpointError: If the file has no state of a training, or a key is missing, unknown or of another shape.
        """
        if runner._resume:
            if not _has_training(checkpoint):
                raise CheckpointError(
                    f"checkpoint {runner._load_from or 'of the work dir'} has no state of a training to resume; "
                    "start from its weights with --load-from"
                )
            load_weights(runner.model, checkpoint, strict=True, prefer_ema=False)


def _has_training(checkpoint: dict) -> bool:
    """Whether a checkpoint has all that mmengine needs to go on, and not weights alone."""
    meta = checkpoint.get("meta")
    counted = isinstance(meta, dict) and all(isinstance(meta.get(key), int) for key in ("epoch", "iter"))
    return counted and all(isinstance(checkpoint.get(key), dict) for key in ("message_hub", "optimizer"))
