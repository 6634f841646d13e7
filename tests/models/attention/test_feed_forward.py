from __future__ import annotations

import torch

from bev.models.attention import FeedForward


def test_is_two_linear_layers_with_residual():
    block = FeedForward(6, 10).eval()
    tokens = torch.randn(2, 3, 6)
    hidden = (tokens @ block.expand.weight.T + block.expand.bias).clamp(min=0)
    expected = tokens + hidden @ block.reduce.weight.T + block.reduce.bias
    torch.testing.assert_close(block(tokens), expected)
