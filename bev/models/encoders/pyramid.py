"""Deformable DETR's encoder: the places of an image's feature pyramid read each other (arXiv 2010.04159, section 4.1).

Shapes: B batch, L levels, S places of all levels together, C channels, h_i, w_i height and width of level i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.models.attention import DeformableAttention, FeatureTokens, FeedForward
from bev.models.encoders.positional import sine_codes


class PyramidEncoderLayer(nn.Module):
    """Deformable self-attention over all levels and a feed-forward block, each followed by layer norm."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_levels: int,
        num_points: int,
        feedforward_channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = DeformableAttention(embed_dims, num_heads, num_levels, num_points, dropout)
        self.ffn = FeedForward(embed_dims, feedforward_channels, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(2))

    def forward(self, tokens: FeatureTokens, position: Tensor, places: Tensor) -> FeatureTokens:
        """Refine the values (B, S, C).

        Args:
            tokens: The pyramid.
            position: (B, S, C) positional encoding.
            places: (B, S, L, 2) where every place is on every level, in fractions of the level.
        """
        read = self.attention(tokens.values, tokens.values, places, tokens.shapes, position, padding=tokens.padding)
        return replace(tokens, values=self.norms[1](self.ffn(self.norms[0](read))))


@MODELS.register_module()
class PyramidEncoder(nn.Module):
    """Encoder of the feature pyramid of one image per sample.

    Args:
        num_layers: Encoder layers.
        embed_dims: C.
        num_heads: Attention heads.
        num_levels: L, the finest levels of the pyramid.
        num_points: Points per head and level.
        feedforward_channels: Hidden channels of the feed-forward blocks.
        dropout: Dropout of attention outputs and feed-forward blocks.
    """

    def __init__(
        self,
        num_layers: int = 6,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 4,
        num_points: int = 4,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.level_embeds = nn.Parameter(torch.empty(num_levels, embed_dims))
        nn.init.normal_(self.level_embeds)
        self.layers = nn.ModuleList(
            PyramidEncoderLayer(embed_dims, num_heads, num_levels, num_points, feedforward_channels, dropout)
            for _ in range(num_layers)
        )

    def forward(self, levels: Sequence[Tensor], image_sizes: Tensor, padded_size: tuple[int, int]) -> FeatureTokens:
        """Encode one image per sample.

        Args:
            levels: (B, C, h_i, w_i) features, finest first; those beyond `num_levels` are ignored.
            image_sizes: (B, 2) height and width of each image without its padding, pixels.
            padded_size: Height and width that the features cover, pixels.

        Raises:
            InputError: If there are too few levels.
        """
        num_levels = len(self.level_embeds)
        if len(levels) < num_levels:
            raise InputError(f"the image encoder reads {num_levels} feature levels, but the neck made {len(levels)}")
        levels = levels[:num_levels]
        masks = [padding_mask(image_sizes, padded_size, (level.shape[-2], level.shape[-1])) for level in levels]
        position = torch.cat(
            [
                sine_codes(mask, level.shape[1]) + embed
                for mask, level, embed in zip(masks, levels, self.level_embeds, strict=True)
            ],
            dim=1,
        ).to(levels[0].dtype)
        tokens = FeatureTokens(
            values=torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1),
            shapes=[(level.shape[-2], level.shape[-1]) for level in levels],
            padding=torch.cat([mask.flatten(1) for mask in masks], dim=1),
            valid=torch.stack([_valid_share(mask) for mask in masks], dim=1),
        )
        places = tokens.on_levels(tokens.cell_centres())
        for layer in self.layers:
            tokens = layer(tokens, position, places)
        return tokens


def padding_mask(image_sizes: Tensor, padded_size: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """Which cells of a level begin in the padding: (B, h, w) bool, for image sizes (B, 2) and a level's (h, w)."""
    beyond = [
        torch.arange(cells, device=image_sizes.device) * pixels // cells >= image_sizes[:, axis, None]
        for axis, (cells, pixels) in enumerate(zip(shape, padded_size, strict=True))
    ]
    return beyond[0][:, :, None] | beyond[1][:, None, :]


def _valid_share(mask: Tensor) -> Tensor:
    """Shares (B, 2) of a level's width and height that are not padding; of an absent image one cell."""
    rows, columns = (~mask[:, :, 0]).sum(1), (~mask[:, 0]).sum(1)
    share = torch.stack([columns, rows], dim=-1).clamp(min=1)
    return share / share.new_tensor([mask.shape[2], mask.shape[1]])
