"""Attention pooling that ends the classifiers H and G, as in CLIP (https://arxiv.org/abs/2103.00020, section 2.4).

Shapes: B images, P positions of the map, C channels of the map, D channels of the pooled feature.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from bev.models.backbones.internimage.layers import layer_norm

EMBEDDING_CHANNELS = 1024  # C of the released weights
POOLED_CHANNELS = 768  # D of the released weights
NUM_HEADS = 16
UPSAMPLING = 2  # from the last stage to the third


class CrossAttention(nn.Module):
    """Multi-head attention whose query, key and value biases are parameters of their own."""

    def __init__(self, channels: int, out_channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(channels, channels, bias=False)
        self.k = nn.Linear(channels, channels, bias=False)
        self.v = nn.Linear(channels, channels, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(channels))
        self.k_bias = nn.Parameter(torch.zeros(channels))
        self.v_bias = nn.Parameter(torch.zeros(channels))
        self.proj = nn.Linear(channels, out_channels)

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend from `query` (B, Q, C) to `key` and `value` (B, P, C); returns (B, Q, D)."""
        query = self._heads(F.linear(query, self.q.weight, self.q_bias))
        key = self._heads(F.linear(key, self.k.weight, self.k_bias))
        value = self._heads(F.linear(value, self.v.weight, self.v_bias))
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class AttentionPooling(nn.Module):
    """Pool a map to one vector by attending to it from its mean."""

    def __init__(self, channels: int, out_channels: int, num_heads: int) -> None:
        super().__init__()
        self.norm1_q = layer_norm(channels)
        self.norm1_k = layer_norm(channels)
        self.norm1_v = layer_norm(channels)
        self.cross_dcn = CrossAttention(channels, out_channels, num_heads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool (B, P, C) to (B, D)."""
        mean = x.mean(1, keepdim=True)
        return self.cross_dcn(self.norm1_q(mean), self.norm1_k(x), self.norm1_v(x)).squeeze(1)
