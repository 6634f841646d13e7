"""Feed-forward block of a transformer layer.

Shapes: C channels; leading dimensions are free.
"""

from __future__ import annotations

from bev_ops.modules import Linear
from torch import Tensor, nn


class FeedForward(nn.Module):
    """Two linear layers with ReLU between, dropout after each, and the residual.

    Args:
        embed_dims: C.
        hidden_dims: Channels between the two layers.
        dropout: Probability of zeroing a hidden or an output value.
    """

    def __init__(self, embed_dims: int = 256, hidden_dims: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.expand = Linear(embed_dims, hidden_dims)
        self.reduce = Linear(hidden_dims, embed_dims)
        self.activation = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.expand.weight)
        nn.init.xavier_uniform_(self.reduce.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        hidden = self.dropout(self.activation(self.expand(tokens)))
        return tokens + self.dropout(self.reduce(hidden))
