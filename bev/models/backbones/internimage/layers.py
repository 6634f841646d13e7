"""Stem, downsampling, MLP and norms of InternImage.

Shapes: B images, C channels, H W height and width of a map. Blocks work on maps of shape (B, H, W, C). Convolutions
see the same memory as (B, C, H, W) in PyTorch's channels-last format, so changing between the two copies nothing.

Submodules sit in `nn.Sequential`s so that parameters have the official names, such as `norm1.1.weight`.
"""

from __future__ import annotations

import torch
from bev_ops import fused
from bev_ops.modules import Linear
from torch import nn

NORM_EPS = 1e-6


class ChannelsToLast(nn.Module):
    """A change of layout as a layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """View (B, C, H, W) as (B, H, W, C)."""
        return x.permute(0, 2, 3, 1)


class ChannelsToFirst(nn.Module):
    """A change of layout as a layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """View (B, H, W, C) as (B, C, H, W)."""
        return x.permute(0, 3, 1, 2)


def layer_norm(channels: int) -> nn.Sequential:
    """Layer norm over the last axis; its parameters are called `0.weight` and `0.bias`."""
    return nn.Sequential(nn.LayerNorm(channels, eps=NORM_EPS))


def map_norm(kind: str, channels: int, channels_last: bool) -> nn.Sequential:
    """Norm of a (B, C, H, W) map.

    Args:
        kind: "LN" over channels, or "BN" over batch and space.
        channels: C.
        channels_last: Whether the result is (B, H, W, C) rather than (B, C, H, W).
    """
    if kind == "BN":
        layers: list[nn.Module] = [nn.BatchNorm2d(channels)]
        return nn.Sequential(*layers, *([ChannelsToLast()] if channels_last else []))
    layers = [ChannelsToLast(), nn.LayerNorm(channels, eps=NORM_EPS)]
    return nn.Sequential(*layers, *([] if channels_last else [ChannelsToFirst()]))


class Stem(nn.Module):
    """Two strided 3x3 convolutions that bring an image to a quarter of its size (rounded up)."""

    def __init__(self, channels: int, norm: str = "LN") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels // 2, 3, stride=2, padding=1)
        self.norm1 = map_norm(norm, channels // 2, channels_last=False)
        self.act = nn.GELU()
        self.conv2 = nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1)
        self.norm2 = map_norm(norm, channels, channels_last=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (B, 3, H, W) to (B, ceil(H / 4), ceil(W / 4), C)."""
        x = self.conv1(images.contiguous(memory_format=torch.channels_last))
        return self.norm2(self.conv2(self.act(self.norm1(x))))


class Downsample(nn.Module):
    """A strided 3x3 convolution that doubles the channels."""

    def __init__(self, channels: int, norm: str = "LN") -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)
        self.norm = map_norm(norm, 2 * channels, channels_last=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, ceil(H / 2), ceil(W / 2), 2C)."""
        return self.norm(self.conv(x.permute(0, 3, 1, 2)))


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(channels, hidden)
        self.fc2 = Linear(hidden, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., C) to (..., C), each position by itself."""
        return self.fc2(fused.linear_gelu(x, self.fc1))
