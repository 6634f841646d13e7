"""From a config to a runner that fits the machine: CPU or GPU, one process or several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from bev.engine.checkpoint import register_safe_checkpoint_loader
from bev.engine.data_config import check_class_counts
from bev.engine.experiment_runner import ExperimentRunner
from bev.engine.sharding import FullyShardedModel, ShardedRunner
from bev.errors import InputError


def build_runner(config: Config, launcher: str = "none") -> Runner:
    """Build mmengine's runner after fitting the config to this machine.

    Args:
        config: A whole experiment, as from `load_config`.
        launcher: "none" for one process, "pytorch" under torchrun, "slurm" or "mpi".

    Raises:
        InputError: If the config asks for what this machine or launcher doesn't have.
    """
    register_safe_checkpoint_loader()
    check_class_counts(config)
    config.launcher = launcher
    fit_schedule(config)
    if not torch.cuda.is_available():
        fit_to_cpu(config)
        if launcher == "pytorch":
            start_gloo((config.get("env_cfg") or {}).get("dist_cfg") or {})
    if not is_sharded(config):
        return ExperimentRunner.from_cfg(config)
    if launcher == "none":
        raise InputError("a sharded model needs several processes: use tools/dist_train.sh or tools/slurm_train.sh")
    return ShardedRunner.from_cfg(config)


def is_sharded(config: Config) -> bool:
    """Whether the config asks for a model whose parameters are dealt out to all processes."""
    return (config.get("model_wrapper_cfg") or {}).get("type") == FullyShardedModel.__name__


def fit_to_cpu(config: Config) -> None:
    """Replace what only GPUs can do: synchronised batch norm, NCCL, pinned memory, mixed precision wrappers."""
    _replace_norm(config._cfg_dict)
    config.pop("sync_bn", None)
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if config.get(name):
            config[name].pin_memory = False
    if config.get("optim_wrapper", {}).get("type") == "AmpOptimWrapper":
        raise InputError("AmpOptimWrapper needs a GPU; AutocastOptimWrapper (--amp) runs on CPUs, too")
    if config.get("launcher", "none") != "none" and not is_sharded(config):
        # mmengine's default wrapper passes a GPU index to DistributedDataParallel.
        unused = config.get("find_unused_parameters", False)
        config.model_wrapper_cfg = dict(
            type="MMDistributedDataParallel", device_ids=None, find_unused_parameters=unused
        )


def fit_schedule(config: Config) -> float:
    """Stretch what a schedule counts in iterations, so that it covers as many samples as at the base batch size.

    A warm-up of 2000 iterations of 16 samples becomes one of 8000 iterations of 4, whether or not the optimizer
    accumulates them: schedules advance with every iteration. Does to schedules what `auto_scale_lr` does to the
    learning rate, under the same switch.

    Args:
        config: Changed in place.

    Returns:
        The factor, 1 where nothing is scaled.
    """
    scaling = config.get("auto_scale_lr") or {}
    if not scaling.get("enable") or not scaling.get("base_batch_size"):
        return 1.0
    total = config.train_dataloader.batch_size * _world_size(config.get("launcher", "none"))
    factor = scaling["base_batch_size"] / total
    for scheduler in config.get("param_scheduler") or ():
        if not scheduler.get("by_epoch", True):
            for key in ("begin", "end"):
                if key in scheduler:
                    scheduler[key] = round(scheduler[key] * factor)
    if factor != 1:
        text = f"schedules in iterations are stretched by {factor:g}: an iteration has {total} samples"
        print_log(text, logger="current")
    return factor


def _world_size(launcher: str) -> int:
    """Processes of this training, as the launcher tells them before they have met."""
    variables = {"pytorch": "WORLD_SIZE", "slurm": "SLURM_NTASKS", "mpi": "OMPI_COMM_WORLD_SIZE"}
    return int(os.environ.get(variables[launcher], "1")) if launcher in variables else 1


def start_gloo(options: Mapping[str, Any]) -> None:
    """Join torchrun's process group over Gloo; mmengine's own start would choose a GPU first.

    Args:
        options: `env_cfg.dist_cfg` of the config, whose `timeout` is in seconds; its backend is for GPUs.
    """
    if not torch_dist.is_initialized():
        options = {key: value for key, value in options.items() if key != "backend"}
        if options.get("timeout") is not None:
            options["timeout"] = timedelta(seconds=options["timeout"])
        torch_dist.init_process_group("gloo", **options)
        if "OMP_NUM_THREADS" not in os.environ:
            share = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
            torch.set_num_threads(max(1, share))


def _replace_norm(node: Any) -> None:
    """Turn every `type='SyncBN'` below `node` into plain batch norm, in place."""
    if isinstance(node, Mapping):
        if node.get("type") == "SyncBN":
            node["type"] = "BN"  # type: ignore[index]
        for value in node.values():
            _replace_norm(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            _replace_norm(value)
