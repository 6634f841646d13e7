"""Training models that are too large for data parallelism: every process holds a part of each tensor (FSDP2).

Parameters, their gradients, the optimizer's state and moving averages are sharded; parameters are gathered for as long
as a step needs them, and gradients leave as soon as they are complete. Checkpoints are ordinary ones, of whole tensors:
they load into any model and resume on any number of processes, sharded or not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast
from unittest import mock

import torch
import torch.distributed as torch_dist
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS, RUNNERS
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.modules.batchnorm import _BatchNorm

from bev.engine.experiment_runner import ExperimentRunner
from bev.errors import InputError

UNITS = ("Block", "Bottleneck", "BasicBlock")  # InternImage's and ResNet's, and those of the temporal fusion


@MODEL_WRAPPERS.register_module()
class FullyShardedModel(nn.Module):
    """A model whose parameters are dealt out to all processes, with the interface of mmengine's DDP wrapper.

    The model is initialised (`init_weights`, pretrained backbones too) before it is sharded. It starts with the first
    process's weights, and every step with that one's batch statistics.

    Args:
        module: A whole model, the same in every process.
        units: Names of classes whose instances are gathered, and their gradients sent away, one by one. All else is
            one unit.
        reshard_after_forward: Give gathered parameters back after a unit's forward pass and gather them again for the
            backward pass. Needs every process to run every unit equally often: true of models of one frame only, since
            of clips with a history some lack it.
        reduce_dtype: Type in which gradients travel, such as "bfloat16"; that of the parameters where None.

    Raises:
        InputError: If the model has none of the units.
    """

    def __init__(
        self,
        module: BaseModel,
        units: Sequence[str] = UNITS,
        reshard_after_forward: bool = False,
        reduce_dtype: str | None = None,
    ) -> None:
        super().__init__()
        if hasattr(module, "init_weights"):
            module.init_weights()
        for tensor in module.state_dict().values():
            torch_dist.broadcast(tensor, 0)
        blueprint = copy.deepcopy(module).to("meta")
        self.module: BaseModel = _shard(module, units, reshard_after_forward, reduce_dtype)
        self.module.__deepcopy__ = partial(_copy_of_shards, self.module, blueprint)  # type: ignore[assignment]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the model's."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Forward, backward and update; returns what is logged."""
        self._share_statistics()
        with optim_wrapper.optim_context(self):
            data = self.module.data_preprocessor(data, True)
            losses = self(**data, mode="loss")
        parsed, logged = self.module.parse_losses(losses)
        optim_wrapper.update_params(parsed)
        return logged

    def val_step(self, data: Any) -> list:
        """Predictions for a batch."""
        with self._gathered():
            return self.module.val_step(data)

    def test_step(self, data: Any) -> list:
        """Predictions for a batch."""
        with self._gathered():
            return self.module.test_step(data)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Keep gradients to this process, as while they are accumulated."""
        module = cast(FSDPModule, self.module)
        module.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            module.set_requires_gradient_sync(True)

    @contextmanager
    def _gathered(self) -> Iterator[None]:
        """Around a forward pass that no backward pass follows: what stays gathered would miss later changes."""
        self._share_statistics()
        try:
            yield
        finally:
            for part in self.module.modules():
                if isinstance(part, FSDPModule):
                    part.reshard()

    @torch.no_grad()
    def _share_statistics(self) -> None:
        for norm in self.module.modules():
            if isinstance(norm, _BatchNorm):
                for statistic in norm.buffers(recurse=False):
                    torch_dist.broadcast(statistic, 0)


@RUNNERS.register_module()
class ShardedRunner(ExperimentRunner):
    """mmengine's runner for a `FullyShardedModel`: gathers what it saves, and deals out what it loads."""

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """As mmengine's, in which the first process writes; called in all of them."""
        averaged = [hook.ema_model for hook in self.hooks if hasattr(hook, "ema_model")]
        with ExitStack() as stack:
            for owner in (self.model.module, *averaged, self.optim_wrapper):
                whole = gather(owner.state_dict())
                stack.enter_context(mock.patch.object(owner, "state_dict", lambda whole=whole: whole))
            super().save_checkpoint(*args, **kwargs)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """As mmengine's; the optimizer also loads states of whole tensors."""
        built = super().build_optim_wrapper(optim_wrapper)
        if built is not optim_wrapper:
            built.optimizer.register_load_state_dict_pre_hook(_shard_optimizer_state)
        return built

    def _init_model_weights(self) -> None:
        """Nothing: the wrapper initialised the model before it was sharded."""


def gather(state: Any) -> Any:
    """A state dict, of a model or an optimizer, with whole tensors on the CPU in place of sharded ones.

    To be called in all processes, which send each other their shards. What isn't sharded is returned as it is. Only the
    first process keeps the whole tensors; the others get empty ones.
    """
    if isinstance(state, DTensor):
        whole = state.full_tensor()
        return whole.cpu() if torch_dist.get_rank() == 0 else whole.new_empty(0, device="cpu")
    if isinstance(state, Mapping):
        return type(state)((key, gather(value)) for key, value in state.items())  # type: ignore[call-arg]
    if isinstance(state, (list, tuple)):
        return type(state)(gather(value) for value in state)
    return state


def _shard(
    module: BaseModel, units: Sequence[str], reshard_after_forward: bool, reduce_dtype: str | None
) -> BaseModel:
    mesh = init_device_mesh(next(module.parameters()).device.type, (torch_dist.get_world_size(),))
    policy = MixedPrecisionPolicy(reduce_dtype=None if reduce_dtype is None else getattr(torch, reduce_dtype))
    chosen = [part for part in module.modules() if type(part).__name__ in units]
    if not chosen:
        raise InputError(f"no part of the model is a {' or '.join(units)}: give FullyShardedModel other units")
    for part in (*chosen, module):
        sharded = fully_shard(part, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard_after_forward)
        if not reshard_after_forward:
            # By default the backward pass gathers ahead in the order of the forward pass, which differs between
            # processes where some have a history. Here all is gathered already; a unit gathers itself ahead, to no end.
            sharded.set_modules_to_backward_prefetch([sharded])
    module.register_load_state_dict_pre_hook(_shard_state)
    return module


def _shard_like(value: Any, own: Any) -> Any:
    """A whole tensor as `own` is sharded; each process takes its part of what it has read itself."""
    if not isinstance(own, DTensor) or isinstance(value, DTensor) or getattr(value, "shape", None) != own.shape:
        return value
    return distribute_tensor(value.to(own.device), own.device_mesh, own.placements, src_data_rank=None)


def _shard_state(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Before a model loads a state dict, in place."""
    for name, own in module.state_dict().items():
        if prefix + name in state:
            state[prefix + name] = _shard_like(state[prefix + name], own)


def _shard_optimizer_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Before an optimizer loads a state dict."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    own = dict(zip(numbers, parameters, strict=False))  # the optimizer itself refuses other numbers of parameters
    shards = {
        number: {key: _shard_like(value, own.get(number)) for key, value in values.items()}
        for number, values in state["state"].items()
    }
    return {**state, "state": shards}


def _copy_of_shards(module: nn.Module, blueprint: nn.Module, memo: dict) -> nn.Module:
    """A copy of a sharded model for moving averages, sharded alike; unlike the model it cannot run.

    Args:
        module: The model.
        blueprint: The same model without memory for its weights, as it was before it was sharded.
        memo: Of `copy.deepcopy`.
    """
    twin = copy.deepcopy(blueprint, memo)
    for name, owner in module.named_modules():
        target = twin.get_submodule(name)
        for key, parameter in owner.named_parameters(recurse=False):
            value = nn.Parameter(parameter.detach().clone(), requires_grad=parameter.requires_grad)
            target.register_parameter(key, value)
        for key, buffer in owner.named_buffers(recurse=False):
            setattr(target, key, buffer.clone())
    twin.register_load_state_dict_pre_hook(_shard_state)
    return twin
