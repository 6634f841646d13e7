"""Learning rates against the official schedule; averaged weights and accumulated gradients computed by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, PARAM_SCHEDULERS
from timm.scheduler import CosineLRScheduler
from torch import Tensor, nn

from bev.engine.config import load_config

pytestmark = pytest.mark.usefixtures("registered")
CONFIG = Path(__file__).parents[3] / "projects" / "classification" / "configs" / "internimage_t_1k_224.py"
STEPS = 10  # of an epoch


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


# Epochs, warm-up, and the rates for 512 images: the highest, the first and the least.
OFFICIAL = {"internimage_t_1k_224": (300, 20, 5e-4, 5e-7, 5e-6), "internimage_l_22kto1k_384": (20, 2, 2e-5, 0.0, 0.0)}


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("images", [512, 4096])
def test_learning_rates_are_those_of_the_official_schedule(name: str, images: int) -> None:
    """timm's, all of whose rates the official code multiplies by the number of images; within 3 % in the warm-up."""
    epochs, warm_up, *rates = OFFICIAL[name]
    highest, first, least = (rate * images / 512 for rate in rates)
    config = load_config(CONFIG.parent / f"{name}.py")
    factor = images / config.auto_scale_lr.base_batch_size
    ours, theirs = (torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=highest) for _ in range(2))
    assert config.optim_wrapper.optimizer.lr * factor == pytest.approx(highest)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler), default_args=dict(optimizer=ours, epoch_length=STEPS))
        for scheduler in config.param_scheduler
    ]
    official = CosineLRScheduler(
        theirs,
        t_initial=epochs * STEPS,
        lr_min=least,
        warmup_lr_init=first,
        warmup_t=warm_up * STEPS,
        cycle_limit=1,
        t_in_epochs=False,
    )
    for step in range(epochs * STEPS):
        official.step_update(step)
        found, expected = (optimizer.param_groups[0]["lr"] for optimizer in (ours, theirs))
        assert found == pytest.approx(expected, abs=(0.03 if step < warm_up * STEPS else 1e-3) * highest), step
        ours.step()
        for scheduler in schedulers:
            scheduler.step()
