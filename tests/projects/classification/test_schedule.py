"""Averaged weights and accumulated gradients as the configs ask for them, against values computed by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS
from torch import Tensor, nn

import bev
from bev.engine.config import load_config

CONFIG = Path(__file__).parents[3] / "projects" / "classification" / "configs" / "internimage_t_1k_224.py"


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    bev.register_all()


class Toy(BaseModel):
    """One weight and one running statistic."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("statistic", torch.tensor(0.0))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * inputs


def test_averaged_weights() -> None:
    """The average starts with the weights after the first step, then moves by a ten-thousandth of the way each time."""
    config = load_config(CONFIG)
    settings = dict(next(hook for hook in config.custom_hooks if hook.type == "EMAHook"))
    del settings["priority"]  # is for the runner
    hook = HOOKS.build(settings)
    model = Toy()
    runner = SimpleNamespace(model=model, iter=0, epoch=0)
    hook.before_run(runner)
    for value in (1.0, 3.0, 7.0):
        model.weight.data.fill_(value)
        model.statistic.fill_(10 * value)
        hook.after_train_iter(runner, 0)
    # 1; 1 + 1e-4 (3 - 1) = 1.0002; 1.0002 + 1e-4 (7 - 1.0002) = 1.00079998
    assert hook.ema_model.module.weight.item() == pytest.approx(1.00079998, abs=2e-7)
    assert hook.ema_model.module.statistic.item() == pytest.approx(10.0079998, abs=2e-6)
    hook.before_val_epoch(runner)
    assert model.weight.item() == pytest.approx(1.00079998, abs=2e-7)
    hook.after_val_epoch(runner)
    assert model.weight.item() == 7.0


@pytest.mark.parametrize("wrapper", ["OptimWrapper", "AutocastOptimWrapper"])
def test_accumulated_gradients(wrapper: str) -> None:
    """Two batches a step, of inputs 2 and 4: their mean gradient is 3, and 1 - 0.5 * 3 = -0.5; clipped to 1, 0.5."""
    for clip, expected in ((None, -0.5), (dict(max_norm=1.0), 0.5)):
        model = Toy()
        settings = dict(type=wrapper, optimizer=dict(type="SGD", lr=0.5), accumulative_counts=2)
        optimizer = build_optim_wrapper(model, settings if clip is None else dict(settings, clip_grad=clip))
        optimizer.initialize_count_status(model, 0, 4)
        weights = []
        for inputs in (2.0, 4.0, 2.0, 4.0):
            with optimizer.optim_context(model):
                loss = model(torch.tensor(inputs))
            optimizer.update_params(loss)
            weights.append(model.weight.item())
        step = 1 - expected
        assert weights == pytest.approx([1.0, expected, expected, expected - step], abs=1e-6)
