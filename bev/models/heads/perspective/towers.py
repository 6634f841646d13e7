"""Convolutions that all feature levels share, while each level has norms of its own (DD3D, arXiv 2108.06417).

Shapes: P images, C channels, h, w size of a feature level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.norms import available_norm


class LevelConvolution(nn.Module):
    """3x3 convolution without bias, the level's norm, ReLU."""

    def __init__(self, channels: int, num_levels: int, norm_cfg: Mapping[str, Any]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        norm = available_norm(norm_cfg)
        self.norms = nn.ModuleList(MODELS.build({**norm, "num_features": channels}) for _ in range(num_levels))
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Tensor, level: int) -> Tensor:
        """(P, C, h, w) of feature level `level` to the same shape."""
        return F.relu(self.norms[level](self.convolution(features)))


class LevelTower(nn.ModuleList):
    """A stack of `LevelConvolution`."""

    def __init__(self, channels: int, num_levels: int, num_convs: int, norm_cfg: Mapping[str, Any]) -> None:
        super().__init__(LevelConvolution(channels, num_levels, norm_cfg) for _ in range(num_convs))

    def forward(self, features: Tensor, level: int) -> Tensor:
        """(P, C, h, w) of feature level `level` to the same shape."""
        for layer in self:
            features = layer(features, level)
        return features


def predictor(channels: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    """3x3 convolution from a tower to what is predicted."""
    layer = nn.Conv2d(channels, outputs, 3, padding=1, bias=bias)
    nn.init.kaiming_uniform_(layer.weight, a=1)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def level_scalars(values: Sequence[float]) -> nn.ParameterList:
    """One learned number per level."""
    return nn.ParameterList(nn.Parameter(torch.tensor([float(value)])) for value in values)
