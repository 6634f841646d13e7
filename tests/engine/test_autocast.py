from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bev.engine.autocast import AutocastOptimWrapper


def trained(dtype: str, steps: int = 60, **options) -> tuple[nn.Module, AutocastOptimWrapper, list[float]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    wrapper = AutocastOptimWrapper(
        dtype, optimizer=torch.optim.AdamW(model.parameters(), lr=1e-2), clip_grad={"max_norm": 10.0}, **options
    )
    inputs = torch.randn(64, 4)
    targets = inputs.sum(1, keepdim=True)
    losses = []
    for _ in range(steps):
        with wrapper.optim_context(model):
            output = model(inputs)
        assert output.dtype == getattr(torch, dtype)
        loss = (output.float() - targets).square().mean()
        wrapper.update_params(loss)
        losses.append(loss.item())
    return model, wrapper, losses


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_learns_in_half_precision_with_weights_in_float32(dtype: str) -> None:
    model, _, losses = trained(dtype)
    assert losses[-1] < 0.2 * losses[0]
    assert all(value.dtype == torch.float32 for value in model.parameters())


def test_gradients_accumulate() -> None:
    _, _, losses = trained("bfloat16", steps=8, accumulative_counts=4)
    assert losses[0] == losses[3] != losses[4] == losses[7]


def test_the_loss_scale_is_saved_and_read_again() -> None:
    _, wrapper, _ = trained("float16", steps=3)
    state = copy.deepcopy(wrapper.state_dict())
    state["loss_scaler"]["scale"] = 1024.0
    _, other, _ = trained("float16", steps=1)
    other.load_state_dict(state)
    assert other.scaler.get_scale() == 1024.0
    plain = {key: value for key, value in state.items() if key != "loss_scaler"}
    other.load_state_dict(plain)


def test_an_overflowing_step_is_left_out() -> None:
    model, wrapper, _ = trained("float16", steps=2)
    before = [value.detach().clone() for value in model.parameters()]
    scale = wrapper.scaler.get_scale()
    wrapper.update_params(model(torch.full((1, 4), torch.inf)).sum())
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert wrapper.scaler.get_scale() < scale


def test_unknown_types_are_refused() -> None:
    with pytest.raises(ValueError, match="dtype is one of bfloat16, float16, not 'int8'"):
        trained("int8")
