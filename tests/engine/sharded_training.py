"""Run under torchrun: train the tiny model in several ways, sharded and not, and report what this rank saw.

Usage: sharded_training.py CONFIG OUT --data-root ROOT --cfg-options ...
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import nn
from torch.distributed.tensor import DTensor

import bev
from bev.engine.cli import add_experiment_arguments, load_experiment
from bev.engine.runner import build_runner
from bev.engine.sharding import FullyShardedModel, gather

SHARDED = {"type": "FullyShardedModel"}


def build(config: Config, out: Path, name: str, sharded: bool, evaluate: bool = False, **options) -> Runner:
    config = copy.deepcopy(config)
    config.work_dir, config.experiment_name = str(out / name), name
    config.resume = options.pop("resume", False)
    config.optim_wrapper.update(options)
    if sharded:
        config.model_wrapper_cfg = dict(SHARDED)
    if not evaluate:
        config.val_dataloader = config.val_evaluator = config.val_cfg = None
    return build_runner(config, launcher="pytorch")


def with_history(config: Config) -> Config:
    """Two frames, so that a step runs the backbone with and without gradient."""
    config.model.temporal = dict(type="TemporalFusion", num_frames=2, embed_dims=64, hidden_dims=32, num_blocks=1)
    for name in ("train", "val", "test"):
        config[f"{name}_dataloader"].dataset.frame_offsets = (-1, 0)
    return config


def held(tensors) -> tuple[int, int]:
    """Numbers on this rank, and on all of them."""
    tensors = [value for value in tensors if isinstance(value, DTensor)]
    return sum(value.to_local().numel() for value in tensors), sum(value.numel() for value in tensors)


def shares(runner: Runner) -> dict[str, tuple[int, int]]:
    averaged = next(hook.ema_model for hook in runner.hooks if hasattr(hook, "ema_model"))
    optimizer = runner.optim_wrapper.optimizer
    return {
        "parameters": held(runner.model.parameters()),
        "average": held(averaged.parameters()),
        "optimizer": held(value for state in optimizer.state.values() for value in state.values()),
    }


def predictions(runner: Runner, out: Path) -> None:
    """What the sharded model predicts for the first validation sample with its last weights."""
    runner.model.eval()
    with torch.no_grad():
        batch = next(iter(runner.val_dataloader))
        sample = runner.model.val_step(batch)[0].pred_instances_3d
    token = batch["data_samples"][0].sample_token
    torch.save({"token": token, "scores": sample.scores_3d, "boxes": sample.bboxes_3d.tensor}, out)


def converted_norms(runner: Runner, config: Config) -> int:
    """Batch norms that become synchronised ones under `sync_bn`."""
    runner.cfg.sync_bn = "torch"
    wrapped = runner.wrap_model(dict(SHARDED), MODELS.build(config.model))
    assert isinstance(wrapped, FullyShardedModel)
    return sum(isinstance(part, nn.SyncBatchNorm) for part in wrapped.modules())


def resumed(config: Config, out: Path, name: str, sharded: bool) -> None:
    """Continue the sharded run after its first epoch."""
    if torch.distributed.get_rank() == 0:
        (out / name).mkdir()
        shutil.copy(out / "fsdp" / "epoch_1.pth", out / name)
        (out / name / "last_checkpoint").write_text(str(out / name / "epoch_1.pth"))
    torch.distributed.barrier()
    build(config, out, name, sharded, resume=True).train()


def main() -> None:
    parser = argparse.ArgumentParser()
    add_experiment_arguments(parser)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    bev.register_all()
    config = load_experiment(args)
    config = with_history(config)
    build(config, args.out, "ddp", sharded=False).train()
    runner = build(config, args.out, "fsdp", sharded=True, evaluate=True)
    runner.train()
    report = {"shares": shares(runner)}
    predictions(runner, args.out / f"predictions{torch.distributed.get_rank()}.pth")
    torch.save(gather(runner.model.module.state_dict()), args.out / f"gathered{torch.distributed.get_rank()}.pth")
    resumed(config, args.out, "fsdp_resumed", sharded=True)
    resumed(config, args.out, "ddp_resumed", sharded=False)
    config.train_cfg.max_epochs = 1
    for sharded in (False, True):
        name = "fsdp" if sharded else "ddp"
        build(config, args.out, f"{name}_accumulated", sharded, accumulative_counts=2).train()
        build(config, args.out, f"{name}_amp", sharded, type="AutocastOptimWrapper", dtype="bfloat16").train()
    report["converted"] = converted_norms(runner, config)
    (args.out / f"rank{torch.distributed.get_rank()}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
