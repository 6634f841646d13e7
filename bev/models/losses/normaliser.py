"""What a loss is divided by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from mmengine.dist import all_reduce
from torch import Tensor

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def without_other_ranks() -> Iterator[None]:
    """Within, `mean_over_ranks` is this process's own value: for work that other processes don't do at the same time.

    They would not answer, and this process would wait for them until the process group's timeout.
    """
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def mean_over_ranks(count: Tensor | float, device: torch.device | None = None, minimum: float = 1.0) -> Tensor:
    """Mean of `count` over all training processes, at least `minimum`.

    Dividing each rank's summed loss by this mean makes averaged gradients equal to those of one large batch, whichever
    rank the targets are on (Carion et al., arXiv 2005.12872, code).

    Returns:
        () float32.
    """
    mean = torch.as_tensor(count, dtype=torch.float32, device=device).detach().clone()
    if not _alone.get():
        all_reduce(mean, op="mean")
    return mean.clamp(min=minimum)
