"""Finding where numbers stopped being finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from bev.models.losses import without_other_ranks


class NotFiniteError(FloatingPointError):
    """A training step came out as NaN or infinite; the message names the first module that made it so."""


def first_non_finite(model: nn.Module, run: Callable[[], Any]) -> str:
    """Runs something once more and says which of the model's modules was the first to make a number not finite.

    To be called in any process alone: none of the others is asked for anything. Synchronised batch norms therefore use
    their running statistics, and models whose parameters lie in several processes are not run.

    Args:
        model: Its modules are watched.
        run: Calls the model.

    Returns:
        A description: the module's name and class, and whether its parameters or its inputs were to blame.
    """
    if any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return "a module that no process can find alone while parameters are sharded"
    found: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple, output: Any) -> None:
            if not found and not _finite(output):
                found.append(f"{name or 'the model'} ({type(module).__name__}): {_blame(module, inputs)}")

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    try:
        with torch.no_grad(), without_other_ranks(), _norms_on_their_own(model):
            run()
    except FloatingPointError as error:
        found.append(str(error))
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else "no module's output: the losses themselves, or something random"


@contextmanager
def _norms_on_their_own(model: nn.Module) -> Iterator[None]:
    """Synchronised batch norms in evaluation mode, in which they gather nothing from other processes."""
    training = [part for part in model.modules() if isinstance(part, nn.SyncBatchNorm) and part.training]
    for norm in training:
        norm.training = False
    try:
        yield
    finally:
        for norm in training:
            norm.training = True


def _blame(module: nn.Module, inputs: tuple) -> str:
    bad = [name for name, value in module.named_parameters() if not value.isfinite().all()]
    if bad:
        return f"its parameter {bad[0]} is not finite"
    return "with finite inputs" if _finite(inputs) else "its inputs were not finite already"


def _finite(value: Any) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in _tensors(value))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Floating tensors inside tuples, lists, dictionaries and dataclasses."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif hasattr(value, "__dataclass_fields__"):
        yield from _tensors(vars(value))
