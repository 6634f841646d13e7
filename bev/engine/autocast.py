"""Mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from bev.engine.sharding import FullyShardedModel
from bev.errors import InputError

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """mmengine's optimizer wrapper with autocast around the forward pass; unlike `AmpOptimWrapper` on CPUs, too.

    Geometry, losses and sampling coordinates stay in float32 inside the models. float16 gets a dynamic loss scale;
    bfloat16 has the range of float32 and needs none. A step whose gradients overflow is left out, and the scale
    lowered.

    Args:
        dtype: "bfloat16" or "float16".
        **kwargs: As for `OptimWrapper`.

    Raises:
        InputError: If the type is unknown.
    """

    def __init__(self, dtype: str = "bfloat16", **kwargs: Any) -> None:
        if dtype not in DTYPES:
            raise InputError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
        super().__init__(**kwargs)
        self.dtype = DTYPES[dtype]
        self.device_type = "cuda" if torch.cuda.is_available() else "cpu"
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=dtype == "float16")

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward pass of a training step."""
        # Gathered parameters come and go; weights that autocast keeps would be those of another module or step.
        keep = not isinstance(model, FullyShardedModel)
        with super().optim_context(model), torch.autocast(self.device_type, self.dtype, cache_enabled=keep):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Gradients of the scaled loss."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Unscale, clip and update."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict:
        """The optimizer's state and the loss scale."""
        return {**super().state_dict(), "loss_scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over a state; one that was saved without mixed precision has no loss scale."""
        state = dict(state_dict)
        scale = state.pop("loss_scaler", None)
        if scale:
            self.scaler.load_state_dict(scale)
        super().load_state_dict(state)
