"""Where a training starts: from initial weights, or where an earlier run was."""

from __future__ import annotations

import logging

from mmengine.config import Config
from mmengine.logging import print_log
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
    if not config.get("resume") and _freezes_random_weights(config):
        print_log(
            "the backbone's first stages are frozen (frozen_stages), and nothing is loaded into them: start from "
            "weights with --load-from, or with model.backbone.init_cfg (docs/official_weights.md)",
            logger="current",
            level=logging.WARNING,
        )


def start_from(config: Config, checkpoint: str) -> None:
    """Let a training start from the weights in a file: through the config's own `InitialWeightsHook`, if it has one."""
    hooks = config.get("custom_hooks") or []
    named = [hook for hook in hooks if hook.type == "InitialWeightsHook"]
    if named:
        named[-1].checkpoint = checkpoint
    else:
        config.custom_hooks = [*hooks, {"type": "InitialWeightsHook", "checkpoint": checkpoint}]


def _freezes_random_weights(config: Config) -> bool:
    """Whether stages of the backbone would stay for ever what they are at random."""
    backbone = (config.get("model") or {}).get("backbone") or {}
    hooks = [hook for hook in config.get("custom_hooks") or () if hook.type == "InitialWeightsHook"]
    loaded = config.get("load_from") or any(hook.get("checkpoint") for hook in hooks)
    return backbone.get("frozen_stages", -1) >= 0 and not loaded and not backbone.get("init_cfg")
