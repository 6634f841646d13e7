"""What config nodes without a `type` may hold: arguments of mmengine's functions, and entries under free names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

PARAMWISE = (
    "custom_keys", "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult", "flat_decay_mult",
    "dcn_offset_lr_mult", "bypass_duplicate",
)  # fmt: skip
"""Settings of mmengine's optimizer constructor."""

CUSTOM_KEYS = ["optim_wrapper", "paramwise_cfg", "custom_keys"]
NOT_IN_CONFIGS = {"self", "kwargs", "launcher", "distributed"}  # arguments that mmengine gives itself


def free_name(path: list[str], after: list[str]) -> bool:
    """Whether a node takes an entry of any name.

    Args:
        path: Keys down to the new entry, the entry's included.
        after: The override's other keys. A new hook needs a type: without, its name is a misspelt one.
    """
    if path[:-1] == ["default_hooks"]:
        return after == ["type"]
    return path[:-1] == CUSTOM_KEYS


def extra_keys(path: list[str], config: Mapping[str, Any]) -> set[str]:
    """Keys that the node at a path takes beside those that it has and those of its class; none for most nodes.

    Args:
        path: Keys down to the node.
        config: The whole.
    """
    place = ".".join(path)
    if place == "optim_wrapper":
        return {"constructor", "paramwise_cfg"}
    if place == "optim_wrapper.paramwise_cfg":
        return _paramwise_settings(config)
    if path[:-1] == CUSTOM_KEYS:
        return {"lr_mult", "decay_mult"}
    if path[:-1] == ["default_hooks"]:
        return {"type", "priority"}
    if place == "env_cfg":
        return {"cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit"}
    names = {name for function in _readers(place) for name in inspect.signature(function).parameters}
    slurm = {"port"} if place == "env_cfg.dist_cfg" else set()
    return (names | slurm) - NOT_IN_CONFIGS


def is_untyped(path: list[str], config: Mapping[str, Any]) -> bool:
    """Whether the node at a path is one whose keys are known here, though it may not be there yet."""
    return bool(extra_keys(path, config)) or path == CUSTOM_KEYS


def _readers(place: str) -> tuple[Callable, ...]:
    """Functions whose arguments a node holds."""
    if place == "randomness":
        from mmengine.runner import Runner  # imports torch and more: too slow for who only reads a command line

        return (Runner.set_randomness,)
    if place == "env_cfg.mp_cfg":
        from mmengine.utils.dl_utils import set_multi_processing

        return (set_multi_processing,)
    if place == "env_cfg.dist_cfg":
        from mmengine.dist import init_dist
        from torch.distributed import init_process_group

        return init_dist, init_process_group
    if place == "custom_imports":
        from mmengine.utils import import_modules_from_strings

        return (import_modules_from_strings,)
    return ()


def _paramwise_settings(config: Mapping[str, Any]) -> set[str]:
    from bev.engine.layer_decay import SETTINGS, LayerDecayOptimWrapperConstructor

    constructor = (config.get("optim_wrapper") or {}).get("constructor")
    return set(SETTINGS if constructor == LayerDecayOptimWrapperConstructor.__name__ else PARAMWISE)
