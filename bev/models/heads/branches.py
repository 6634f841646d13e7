"""What a decoder layer's states become: small networks for classes and for places and shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bev.models.losses import PRIOR_LOGIT


def class_branch(channels: int, num_classes: int, num_fcs: int) -> nn.Sequential:
    """Linear layers with norm and ReLU, then class logits that start as background."""
    layers: list[nn.Module] = []
    for _ in range(num_fcs):
        layers += [nn.Linear(channels, channels), nn.LayerNorm(channels), nn.ReLU(inplace=True)]
    output = nn.Linear(channels, num_classes)
    nn.init.constant_(output.bias, PRIOR_LOGIT)
    return nn.Sequential(*layers, output)


def regression_branch(
    channels: int, num_outputs: int, num_fcs: int, initial: Sequence[float] | None = None
) -> nn.Sequential:
    """Linear layers with ReLU, then numbers that start as `initial` or 0: what they add to is the first guess."""
    layers: list[nn.Module] = []
    for _ in range(num_fcs):
        layers += [nn.Linear(channels, channels), nn.ReLU(inplace=True)]
    output = nn.Linear(channels, num_outputs)
    nn.init.zeros_(output.weight)
    output.bias = nn.Parameter(torch.zeros(num_outputs) if initial is None else torch.tensor(initial))
    return nn.Sequential(*layers, output)
