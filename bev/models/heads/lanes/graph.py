"""Messages along the lane graph (after TopoNet, arXiv 2304.05277).

Shapes: B batch, Q lane queries, C channels.
"""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class LaneGraphLayer(nn.Module):
    """Every lane hears from those that it leads into and those that lead into it, as far as they are thought to.

    Args:
        embed_dims: C.
        dropout: Probability of zeroing a message's number.
    """

    def __init__(self, embed_dims: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.own = nn.Linear(embed_dims, embed_dims)
        self.from_successors = nn.Linear(embed_dims, embed_dims, bias=False)
        self.from_predecessors = nn.Linear(embed_dims, embed_dims, bias=False)
        self.output = nn.Linear(embed_dims, embed_dims)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, states: Tensor, successors: Tensor) -> Tensor:
        """Update the states.

        Args:
            states: (B, Q, C).
            successors: (B, Q, Q) probability that the lane of the row leads into that of the column.

        Returns:
            (B, Q, C).
        """
        messages = (
            self.own(states)
            + _mean(successors) @ self.from_successors(states)
            + _mean(successors.transpose(1, 2)) @ self.from_predecessors(states)
        )
        return self.norm(states + self.dropout(self.output(self.activation(messages))))


def _mean(weights: Tensor) -> Tensor:
    """Weights whose rows add up to at most 1: an average of many neighbours, but little of a doubtful one."""
    return weights / weights.sum(-1, keepdim=True).clamp(min=1)
