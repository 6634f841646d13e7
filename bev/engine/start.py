"""Where a training starts: from initial weights, or where an earlier run was."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

LAST = "auto"
"""In place of a file to resume: the last checkpoint of the work dir, if there is one."""


def choose_start(config: Config, resume: str | None = None, weights: str | None = None) -> None:
    """Settle, in place, which checkpoint a training continues, if any, and which weights it starts from otherwise.

    mmengine by itself takes a config's `load_from` for the file to resume, and believes to have resumed where there was
    nothing.

    Args:
        config: A whole experiment. Its own `resume` counts where `resume` is None.
        resume: A checkpoint to continue, or "auto": the last one of the work dir, or none if there is none yet.
        weights: A file for `start_from`.
    """
    if resume is not None and resume != LAST:
        config.resume, config.load_from = True, resume
        return
    if weights is not None:
        start_from(config, weights)
    if resume == LAST or (config.get("resume") and not config.get("load_from")):
        config.resume = find_latest_checkpoint(config.work_dir) is not None
        if config.resume:
            config.load_from = None


def start_from(config: Config, checkpoint: str) -> None:
    """Let a training start from the weights in a file: through the config's own `InitialWeightsHook`, if it has one."""
    hooks = config.get("custom_hooks") or []
    named = [hook for hook in hooks if hook.type == "InitialWeightsHook"]
    if named:
        named[-1].checkpoint = checkpoint
    else:
        config.custom_hooks = [*hooks, {"type": "InitialWeightsHook", "checkpoint": checkpoint}]
