"""Sizes that come as numbers, as the tensors that kernels read them from."""

from __future__ import annotations

import torch
from torch import Tensor

# Tensors by device and numbers. They stay for good, since captured CUDA graphs read them; when this many are there,
# others are made anew in each call.
MOST_KEPT = 256
_kept: dict[tuple[torch.device, tuple], Tensor] = {}


def integers(numbers: tuple, device: torch.device) -> Tensor:
    """Numbers, or tuples of them, as an int64 tensor on `device`; the same ones are copied there only once."""
    if not _is_plain_eager():
        return torch.tensor(numbers, dtype=torch.int64).to(device)
    key = (device, _plain(numbers))
    if key in _kept:
        return _kept[key]
    with torch.inference_mode(False):  # for later calls that save it for a backward pass
        made = torch.tensor(numbers, dtype=torch.int64).to(device)
    if len(_kept) < MOST_KEPT:
        _kept[key] = made
    return made


def _plain(numbers: tuple) -> tuple:
    """The numbers as Python's own: tensors among them would be told apart by their address."""
    return tuple(_plain(number) if isinstance(number, tuple) else int(number) for number in numbers)


def _is_plain_eager() -> bool:
    """Whether tensors made now are what they seem: not traced, fake, or wrapped for a transform."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0:
        return False
    return not torch._C._are_functorch_transforms_active()
