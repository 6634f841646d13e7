"""What dense heads that propose queries share: their convolutions, and the choice of places.

Shapes: B batch, Q queries, K classes, H, W rows and columns of the map.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bev.errors import InputError


def dense_branch(channels: int, outputs: int, bias: float) -> nn.Sequential:
    """Convolutions that start out nearly constant, at `bias`."""
    output = nn.Conv2d(channels, outputs, kernel_size=1)
    nn.init.normal_(output.weight, std=0.01)
    output.bias = nn.Parameter(torch.full((outputs,), bias))
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        nn.GroupNorm(math.gcd(channels, 8), channels),
        nn.ReLU(inplace=True),
        output,
    )


@torch.no_grad()
def best_peaks(logits: Tensor, count: int, neighbour_penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    """The highest (class, cell) pairs of each sample, best first.

    Args:
        logits: (B, K, H, W) float32.
        count: Q.
        neighbour_penalty: What a cell that is no local maximum among its eight neighbours loses.

    Returns:
        Scores (B, Q), logits less the penalty, and flattened cells and classes (B, Q) int64.

    Raises:
        InputError: There are fewer pairs than `count`.
    """
    height, width = logits.shape[-2:]
    if logits[0].numel() < count:
        raise InputError(
            f"{count} queries need as many (class, cell) pairs, but {logits.shape[1]} classes on a "
            f"{height} x {width} map have {logits[0].numel()}; lower num_queries"
        )
    peak = F.max_pool2d(logits, kernel_size=3, stride=1, padding=1) == logits
    scores, order = (logits - neighbour_penalty * ~peak).flatten(1).topk(count)
    return scores, order % (height * width), order // (height * width)
