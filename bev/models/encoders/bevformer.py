"""BEVFormer's encoder: from the image features of one frame to a bird's-eye-view map (arXiv 2203.17270, section 3).

Shapes: B batch, N cameras, C channels, H, W rows and columns of the BEV grid, Q = H * W queries (row by row), Z
reference points per pillar, h_i, w_i height and width of feature level i, R cameras of the whole batch that have an
image, S image features of all levels together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bev.errors import InputError
from bev.geometry.grid import BEVGrid
from bev.models.attention import (
    FeedForward,
    SpatialCrossAttention,
    TemporalQueue,
    TemporalSelfAttention,
    VisiblePillars,
    project_pillars,
    visible_pillars,
)
from bev.models.encoders.positional import LearnedPositionalEncoding, polar_codes
from bev.structures import PreviousBEV


class BEVFormerLayer(nn.Module):
    """Temporal self-attention, spatial cross-attention and a feed-forward block, each followed by layer norm."""

    def __init__(
        self, temporal: TemporalSelfAttention, spatial: SpatialCrossAttention, feed_forward: FeedForward
    ) -> None:
        super().__init__()
        self.temporal_attention = temporal
        self.spatial_attention = spatial
        self.ffn = feed_forward
        dims = spatial.output_proj.out_features
        self.norms = nn.ModuleList(nn.LayerNorm(dims) for _ in range(3))

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        cell_centres: Tensor,
        grid_shape: tuple[int, int],
        features: Tensor,
        spatial_shapes: list[tuple[int, int]],
        seen: VisiblePillars,
        queue: TemporalQueue | None = None,
    ) -> Tensor:
        """Refine the queries (B, Q, C); the arguments are those of the two attention modules."""
        query = self.norms[0](self.temporal_attention(query, position, cell_centres, grid_shape, queue))
        query = self.norms[1](self.spatial_attention(query, features, spatial_shapes, seen))
        return self.norms[2](self.ffn(query))


@MODELS.register_module()
class BEVFormerEncoder(nn.Module):
    """Learned BEV queries that read the cameras of one frame, and the previous BEV where there is one.

    Args:
        grid: The BEV grid, or its constructor's arguments.
        num_layers: Encoder layers.
        embed_dims: C.
        num_heads: Attention heads.
        num_levels: Image feature levels used, the finest ones.
        num_cameras: Most cameras a frame can have; each has an embedding of its own.
        num_pillar_points: Z.
        num_points_spatial: Points per head and level in spatial cross-attention, a multiple of Z.
        num_points_temporal: Points per head and map in temporal self-attention.
        feedforward_channels: Hidden channels of the feed-forward blocks.
        dropout: Dropout of attention outputs and feed-forward blocks.
        embedding_std: Initial standard deviation of the BEV queries and of the level and camera embeddings: 1 in
            BEVFormer v1, whose backbones come pretrained. Smaller ones let images count sooner in training from
            scratch.
        view_std: Another one for the level and camera embeddings; None for the same.
        position_init: How the embeddings of rows and columns start: "normal", with standard deviation 1 as published,
            or "uniform", from 0 to 1.
        query_init: "normal", an independent random query per cell as in the published models, or "polar": queries that
            encode the cell's distance and direction (see `polar_codes`), so that what one cell learns about depth
            serves its neighbours from the first step.
        initial_step: As for `SpatialCrossAttention`.
        height_focus: As for `SpatialCrossAttention`.
        can_bus_dims: Numbers of the vehicle's state that are added to the queries through a small network, 18 in
            BEVFormer v1; 0 for none.
        value_projections: As for `TemporalSelfAttention`.
        with_cp: Recompute each layer in the backward pass instead of keeping its intermediate results.
    """

    pillar_points: Tensor
    cell_centres: Tensor

    def __init__(
        self,
        grid: BEVGrid | Mapping[str, Any],
        num_layers: int = 6,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_levels: int = 4,
        num_cameras: int = 6,
        num_pillar_points: int = 4,
        num_points_spatial: int = 8,
        num_points_temporal: int = 4,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
        embedding_std: float = 1.0,
        view_std: float | None = None,
        position_init: str = "normal",
        query_init: str = "normal",
        initial_step: float = 1.0,
        height_focus: float = 0.0,
        can_bus_dims: int = 0,
        value_projections: int = 1,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.grid = grid if isinstance(grid, BEVGrid) else BEVGrid(**grid)
        self.queries = nn.Embedding(self.grid.height * self.grid.width, embed_dims)
        self.positional_encoding = LearnedPositionalEncoding(self.grid.shape, embed_dims, position_init)
        self.level_embeds = nn.Parameter(torch.empty(num_levels, embed_dims))
        self.camera_embeds = nn.Parameter(torch.empty(num_cameras, embed_dims))
        self._init_embeddings(embedding_std, embedding_std if view_std is None else view_std, query_init)
        self.layers = nn.ModuleList(
            BEVFormerLayer(
                TemporalSelfAttention(embed_dims, num_heads, num_points_temporal, dropout, value_projections),
                SpatialCrossAttention(
                    embed_dims, num_heads, num_levels, num_points_spatial, num_pillar_points, dropout,
                    initial_step, height_focus,
                ),
                FeedForward(embed_dims, feedforward_channels, dropout),
            )
            for _ in range(num_layers)
        )  # fmt: skip
        self.can_bus_mlp = _can_bus_mlp(can_bus_dims, embed_dims) if can_bus_dims else None
        pillars = self.grid.pillar_points(num_pillar_points)
        self.register_buffer("pillar_points", pillars, persistent=False)
        self.register_buffer("cell_centres", self.grid.normalise(pillars[0])[:, None, :2][None], persistent=False)

    def _init_embeddings(self, std: float, view_std: float, query_init: str) -> None:
        nn.init.normal_(self.queries.weight, std=std)
        for embeddings in (self.level_embeds, self.camera_embeds):
            nn.init.normal_(embeddings, std=view_std)
        if query_init not in ("normal", "polar"):
            raise InputError(f"query_init is 'normal' or 'polar', not {query_init!r}")
        if query_init == "polar":
            self.queries.weight.data.copy_(std * polar_codes(self.grid, self.queries.embedding_dim))

    def forward(
        self,
        levels: Sequence[Tensor],
        pix_T_bev: Tensor,
        image_sizes: Tensor,
        padded_size: tuple[int, int],
        camera_mask: Tensor,
        previous: PreviousBEV | None = None,
        can_bus: Tensor | None = None,
    ) -> Tensor:
        """Encode one frame.

        Args:
            levels: (B, N, C, h_i, w_i) image features, finest first; those beyond `num_levels` are ignored.
            pix_T_bev: (B, N, 4, 4), bev frame to pixels and depth.
            image_sizes: (B, N, 2) height and width of each image without its padding, pixels.
            padded_size: Height and width that the features cover, pixels.
            camera_mask: (B, N) False where a camera has no image; what its features hold is then never read.
            previous: BEV map of the previous frame; None for the first frame of a scene.
            can_bus: (B, can_bus_dims) the vehicle's state relative to the previous frame.

        Returns:
            (B, C, H, W) map in the bev frame, row 0 at y_min and column 0 at x_min.

        Raises:
            InputError: If there are too few levels or too many cameras, or the vehicle's state is missing.
        """
        coordinates, visible = project_pillars(self.pillar_points, pix_T_bev, image_sizes, padded_size)
        seen = visible_pillars(coordinates, visible, camera_mask)
        features, spatial_shapes = self._camera_features(levels, seen.cameras)
        position = self.positional_encoding()
        query = self.queries.weight.expand(len(pix_T_bev), -1, -1)
        if self.can_bus_mlp is not None:
            if can_bus is None:
                raise InputError("this BEV encoder takes CAN bus values, but the clip has none; see CameraClip.can_bus")
            query = query + self.can_bus_mlp(can_bus.to(query.dtype))[:, None]
        # Every layer's self-attention reads the queries that entered the first one beside the previous map.
        queue = None if previous is None else _queue(previous, query)
        for layer in self.layers:
            arguments = (query, position, self.cell_centres, self.grid.shape, features, spatial_shapes, seen, queue)
            if self.with_cp and torch.is_grad_enabled():
                query = checkpoint(layer, *arguments, use_reentrant=False)
            else:
                query = layer(*arguments)
        return query.transpose(1, 2).unflatten(2, self.grid.shape)

    def _camera_features(self, levels: Sequence[Tensor], cameras: Tensor) -> tuple[Tensor, list[tuple[int, int]]]:
        """Features (R, S, C) of the cameras with an image, told apart by embeddings, and the shape of each level."""
        num_levels, most_cameras = len(self.level_embeds), len(self.camera_embeds)
        if len(levels) < num_levels:
            raise InputError(f"the BEV encoder reads {num_levels} feature levels, but the neck made {len(levels)}")
        num_cameras = levels[0].shape[1]
        if num_cameras > most_cameras:
            raise InputError(
                f"the clip has {num_cameras} cameras, but the BEV encoder was built for at most {most_cameras}; "
                "set num_cameras of the encoder"
            )
        camera_embeds = self.camera_embeds[cameras % num_cameras][:, None]
        tokens = [
            level.flatten(0, 1).index_select(0, cameras).flatten(2).transpose(1, 2) + camera_embeds + level_embed
            for level, level_embed in zip(levels, self.level_embeds, strict=False)
        ]
        shapes = [(level.shape[-2], level.shape[-1]) for level in levels[:num_levels]]
        return torch.cat(tokens, dim=1), shapes


def _queue(previous: PreviousBEV, query: Tensor) -> TemporalQueue:
    tokens = previous.map.flatten(2).transpose(1, 2)
    return TemporalQueue(tokens, query, previous.shift.to(query.dtype), previous.valid, previous.shift_current)


def _can_bus_mlp(can_bus_dims: int, embed_dims: int) -> nn.Sequential:
    """Official layout, with its names: two linear layers, each with ReLU, and a layer norm called `norm`."""
    layers = nn.Linear(can_bus_dims, embed_dims // 2), nn.Linear(embed_dims // 2, embed_dims)
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
    network = nn.Sequential(layers[0], nn.ReLU(inplace=True), layers[1], nn.ReLU(inplace=True))
    network.add_module("norm", nn.LayerNorm(embed_dims))
    return network
