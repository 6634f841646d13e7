"""A training of milliseconds: a line through samples and random numbers, and what every iteration of it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from bev.engine.checkpoint import register_safe_checkpoint_loader
from bev.engine.experiment_runner import ExperimentRunner
from bev.engine.random_state import RandomStateHook
from bev.engine.weights_hook import ResumeCheckHook

SAMPLES = 12
SCHEDULES = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=8),
    dict(type="CosineAnnealingLR", by_epoch=True, T_max=4, convert_to_iter_based=True),
    dict(type="MultiStepLR", by_epoch=True, milestones=[1, 2], gamma=0.5),
]


class Numbers(Dataset):
    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"inputs": torch.tensor([float(index)])}


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.constant_(self.layer.weight, 0.5)
        nn.init.zeros_(self.layer.bias)

    def forward(self, inputs: Tensor, mode: str = "tensor") -> dict[str, Tensor] | list[Tensor]:
        if mode == "predict":
            return list(self.layer(inputs / SAMPLES))
        return {"loss": (self.layer(inputs / SAMPLES) - torch.rand(())).square().mean()}


class Recorder(Hook):
    """Notes each iteration before the schedules move on: what was seen, where, and with which learning rate."""

    def __init__(self) -> None:
        self.rows: list[tuple] = []

    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        samples = data_batch["inputs"].flatten().tolist()
        lr = runner.optim_wrapper.param_groups[0]["lr"]
        self.rows.append((runner.epoch, runner.iter, batch_idx, samples, lr, outputs["loss"].item()))


def build(
    work_dir: Path, batch_size: int = 2, epochs: int = 3, checkpoints: dict | None = None, **settings: Any
) -> tuple[ExperimentRunner, Recorder]:
    """A runner with any of mmengine's settings, and its recorder."""
    register_safe_checkpoint_loader()
    recorder = Recorder()
    loader = dict(
        dataset=Numbers(),
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type="DefaultSampler", shuffle=True),
        collate_fn=dict(type="default_collate"),
    )
    arguments = dict(
        train_cfg=dict(type="EpochBasedTrainLoop", max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
        param_scheduler=SCHEDULES,
        auto_scale_lr=dict(enable=True, base_batch_size=2),
        randomness=dict(seed=0),
        custom_hooks=[recorder, ResumeCheckHook(), RandomStateHook()],
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", **(checkpoints or {"interval": 1}))),
        log_level="WARNING",
        experiment_name=f"{work_dir}{settings}",
    )
    loader.update(settings.pop("loader", {}))
    return ExperimentRunner(Line(), str(work_dir), train_dataloader=loader, **(arguments | settings)), recorder
