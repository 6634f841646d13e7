"""Transformer decoder: queries look at each other and read features, layer by layer (BEVFormer, section 3.5).

The features are a BEV map or, in Deformable DETR (arXiv 2010.04159), the pyramid of an image.

Shapes: B batch, G query groups, Q queries per group, C channels, L feature levels, Z places that a query reads around.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.attention.deformable import DeformableAttention
from bev.models.attention.feed_forward import FeedForward
from bev.models.attention.tokens import FeatureTokens
from bev.models.decoders.queries import Queries
from bev.structures import BEVFeatures

Prediction = TypeVar("Prediction")
BOX_SIZE = 4


@MODELS.register_module()
class DETRDecoder(nn.Module):
    """A stack of decoder layers, and the initialisation of its queries.

    Args:
        queries: Config of the initialisation: `LearnedQueries`, `HeatmapQueries` or `CurveQueries`.
        num_layers: Decoder layers.
        embed_dims: C.
        num_heads: Heads of both attentions.
        num_points: Places that a head of the cross-attention reads. Where references are curves, the points are dealt
            out to the control points in turn, and their number must be a multiple of them.
        feedforward_channels: Hidden channels of the feed-forward blocks.
        dropout: Probability in attention weights, attention outputs and feed-forward blocks.
        num_levels: L, 1 for a BEV map.
        refine: Whether each layer reads around what the one before it predicted. Otherwise all layers read around the
            initial reference points, which all of them train.
        initial_step: Of the cross-attention, as for `DeformableSampling`.
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
        num_levels: int = 1,
        refine: bool = True,
        initial_step: float = 1.0,
    ) -> None:
        super().__init__()
        self.embed_dims, self.refine = embed_dims, refine
        self.queries = MODELS.build(queries)
        self.layers = nn.ModuleList(
            DETRDecoderLayer(
                embed_dims, num_heads, num_points, feedforward_channels, dropout, num_levels, initial_step
            )
            for _ in range(num_layers)
        )

    def forward(
        self,
        queries: Queries,
        features: BEVFeatures | FeatureTokens,
        predict: Callable[[int, Tensor, Tensor], tuple[Prediction, Tensor]],
        exchange: Callable[[int, Tensor], Tensor] | None = None,
    ) -> list[Prediction]:
        """Runs all layers.

        Args:
            queries: As `self.queries` gives them for `features`.
            features: Map (B, C, H, W), or the tokens of a pyramid.
            predict: Called after each layer with the layer's index, the queries' states (B, G * Q, C) and their
                references (B, G * Q, D); returns what the layer predicts and the references of the next layer, points
                (D = 2 or 3), boxes (D = 4) or curves (D = 3 Z) as in `Queries`. No gradient flows from a layer to the
                references that another one gave it.
            exchange: Called before `predict` with the layer's index and the states; returns the states to go on with.

        Returns:
            One prediction per layer.
        """
        tokens = FeatureTokens.of_map(features.map) if isinstance(features, BEVFeatures) else features
        states, reference = queries.content, queries.reference
        predictions = []
        for index, layer in enumerate(self.layers):
            states = layer(states, queries.position, reference, tokens, queries.num_groups)
            if exchange is not None:
                states = exchange(index, states)
            prediction, refined = predict(index, states, reference)
            reference = refined.detach() if self.refine else reference
            predictions.append(prediction)
        return predictions


class DETRDecoderLayer(nn.Module):
    """Self-attention within each group, cross-attention to the features, feed-forward block; a norm after each.

    Args: as for `DETRDecoder`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_points: int,
        feedforward_channels: int,
        dropout: float,
        num_levels: int = 1,
        initial_step: float = 1.0,
    ) -> None:
        super().__init__()
        self.self_attention = GroupSelfAttention(embed_dims, num_heads, dropout)
        self.cross_attention = DeformableAttention(
            embed_dims, num_heads, num_levels, num_points, dropout, initial_step
        )
        self.ffn = FeedForward(embed_dims, feedforward_channels, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(3))

    def forward(
        self,
        states: Tensor,
        position: Tensor,
        reference: Tensor,
        tokens: FeatureTokens,
        num_groups: int = 1,
    ) -> Tensor:
        """Updates the queries.

        Args:
            states: (B, G * Q, C).
            position: (B, G * Q, C).
            reference: (B, G * Q, D) points, boxes or curves as in `Queries`.
            tokens: What is read.
            num_groups: G.

        Returns:
            (B, G * Q, C).
        """
        states = self.norms[0](self.self_attention(states, position, num_groups))
        places = _places(reference, tokens)
        extents = tokens.on_levels(reference[..., 2:]) if reference.shape[-1] == BOX_SIZE else None
        read = self.cross_attention(states, tokens.values, places, tokens.shapes, position, extents, tokens.padding)
        states = self.norms[1](read)
        return self.norms[2](self.ffn(states))


def _places(reference: Tensor, tokens: FeatureTokens) -> Tensor:
    """Where queries with references (B, Q, D) read: (B, Q, L, Z, 2) in fractions of each level."""
    if reference.shape[-1] <= BOX_SIZE:
        return tokens.on_levels(reference[..., :2])[..., None, :]
    control = reference.unflatten(-1, (-1, 3))[..., :2]
    return tokens.on_levels(control.flatten(1, 2)).unflatten(1, control.shape[1:3]).transpose(2, 3)


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
