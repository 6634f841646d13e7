"""What a loss is divided by."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor


def mean_over_ranks(count: Tensor | float, device: torch.device | None = None) -> Tensor:
    """Mean of `count` over all training processes, at least 1.

    Dividing each rank's summed loss by this mean makes averaged gradients equal to those of one large batch, whichever
    rank the targets are on (Carion et al., arXiv 2005.12872, code).

    Returns:
        () float32.
    """
    mean = torch.as_tensor(count, dtype=torch.float32, device=device).detach().clone()
    all_reduce(mean, op="mean")
    return mean.clamp(min=1)
