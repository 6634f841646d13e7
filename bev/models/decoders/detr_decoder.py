"""Transformer decoder: queries look at each other and read a BEV map, layer by layer (BEVFormer, section 3.5).

Shapes: B batch, G query groups, Q queries per group, C channels, H, W rows and columns of the BEV map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.attention.deformable import DeformableAttention
from bev.models.attention.feed_forward import FeedForward
from bev.models.decoders.queries import Queries
from bev.structures import BEVFeatures

Prediction = TypeVar("Prediction")


@MODELS.register_module()
class DETRDecoder(nn.Module):
    """A stack of decoder layers with iterative refinement, and the initialisation of its queries.

    Args:
        queries: Config of the initialisation: `LearnedQueries` or `HeatmapQueries`.
        num_layers: Decoder layers.
        embed_dims: C.
        num_heads: Heads of both attentions.
        num_points: Places that a head of the cross-attention reads.
        feedforward_channels: Hidden channels of the feed-forward blocks.
        dropout: Probability in attention weights, attention outputs and feed-forward blocks.
    """

    def __init__(
        self,
        queries: dict,
        num_layers: int = 6,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_points: int = 4,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.queries = MODELS.build(queries)
        self.layers = nn.ModuleList(
            DETRDecoderLayer(embed_dims, num_heads, num_points, feedforward_channels, dropout)
            for _ in range(num_layers)
        )

    def forward(
        self,
        queries: Queries,
        features: BEVFeatures,
        predict: Callable[[int, Tensor, Tensor], tuple[Prediction, Tensor]],
    ) -> list[Prediction]:
        """Runs all layers; each one reads the map around the centres that the one before it predicted.

        Args:
            queries: As `self.queries` gives them for `features`.
            features: Map (B, C, H, W).
            predict: Called after each layer with the layer's index, the queries' states (B, G * Q, C) and their
                reference points (B, G * Q, 3); returns what the layer predicts and the reference points of the next
                layer. No gradient flows from a layer to the reference points that another one gave it.

        Returns:
            One prediction per layer.
        """
        values, shape = features.map.flatten(2).transpose(1, 2), tuple(features.map.shape[-2:])
        states, reference = queries.content, queries.reference
        predictions = []
        for index, layer in enumerate(self.layers):
            states = layer(states, queries.position, reference[..., :2], values, shape, queries.num_groups)
            prediction, reference = predict(index, states, reference)
            reference = reference.detach()
            predictions.append(prediction)
        return predictions


class DETRDecoderLayer(nn.Module):
    """Self-attention within each group, cross-attention to the BEV map, feed-forward block; a norm after each.

    Args: as for `DETRDecoder`.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, num_points: int, feedforward_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.self_attention = GroupSelfAttention(embed_dims, num_heads, dropout)
        self.cross_attention = DeformableAttention(embed_dims, num_heads, 1, num_points, dropout)
        self.ffn = FeedForward(embed_dims, feedforward_channels, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(3))

    def forward(
        self,
        states: Tensor,
        position: Tensor,
        reference: Tensor,
        values: Tensor,
        shape: tuple[int, int],
        num_groups: int = 1,
    ) -> Tensor:
        """Updates the queries.

        Args:
            states: (B, G * Q, C).
            position: (B, G * Q, C).
            reference: (B, G * Q, 2) x and y as fractions of the map.
            values: (B, H * W, C), rows first.
            shape: (H, W).
            num_groups: G.

        Returns:
            (B, G * Q, C).
        """
        states = self.norms[0](self.self_attention(states, position, num_groups))
        states = self.norms[1](self.cross_attention(states, values, reference, [shape], position))
        return self.norms[2](self.ffn(states))


class GroupSelfAttention(nn.Module):
    """Multi-head self-attention in which the queries of one group see each other only, with residual.

    Args: as for `DETRDecoder`.
    """

    def __init__(self, embed_dims: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(embed_dims, num_heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.attention.out_proj.weight)

    def forward(self, states: Tensor, position: Tensor, num_groups: int = 1) -> Tensor:
        """States and positions (B, G * Q, C) to states (B, G * Q, C)."""
        grouped = (len(states) * num_groups, -1, states.shape[-1])
        value = states.reshape(grouped)
        placed = (states + position).reshape(grouped)
        attended, _ = self.attention(placed, placed, value, need_weights=False)
        return states + self.dropout(attended.reshape(states.shape))
