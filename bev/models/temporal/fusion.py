"""Temporal fusion of a clip's BEV maps in the current frame's grid (BEVFormer v2, arXiv 2211.10439, section 3.4).

Shapes: B batch, T frames, C channels, H, W rows and columns of the BEV grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, cast

import torch
from bev_ops.modules import Linear
from mmdet.models.backbones.resnet import BasicBlock
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from bev.errors import InputError
from bev.models.norms import available_norm


@MODELS.register_module()
class TemporalFusion(nn.Module):
    """Residual blocks on the concatenated maps, then a linear layer and layer norm per cell.

    Args:
        num_frames: T.
        embed_dims: C.
        hidden_dims: Channels of the blocks; T * C where None.
        num_blocks: Residual blocks of two 3x3 convolutions each.
        norm_cfg: mmengine config of the blocks' norm; SyncBN becomes BN where there is nothing to synchronise.
        with_cp: Recompute each block in the backward pass instead of keeping its intermediate results.
    """

    recurrent = False

    def __init__(
        self,
        num_frames: int,
        embed_dims: int = 256,
        hidden_dims: int | None = None,
        num_blocks: int = 3,
        norm_cfg: Mapping[str, Any] | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.num_frames, self.with_cp = num_frames, with_cp
        channels = num_frames * embed_dims
        hidden_dims = hidden_dims or channels
        norm = available_norm(norm_cfg or {"type": "SyncBN"})
        widths = [channels, *[hidden_dims] * num_blocks]
        self.blocks = nn.ModuleList(_residual_block(*pair, norm) for pair in pairwise(widths))
        self.projection = nn.Sequential(Linear(hidden_dims, embed_dims), nn.LayerNorm(embed_dims))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, frames: Sequence[Tensor | None], frame_mask: Tensor, current: int) -> Tensor:
        """Fuse the maps of a clip.

        A sample's missing frame is replaced by that sample's next frame towards the current one.

        Args:
            frames: T maps (B, C, H, W), oldest first; None where no sample has the frame.
            frame_mask: (B, T) False where a sample lacks the frame.
            current: Index of the current frame, which no sample may lack.

        Returns:
            (B, C, H, W).

        Raises:
            InputError: If the number of frames is not the one this module was built for.
        """
        if len(frames) != self.num_frames:
            raise InputError(
                f"temporal fusion was built for {self.num_frames} frames, but the clip has {len(frames)}; "
                "give the dataset's frames and num_frames of the fusion the same length"
            )
        fused = torch.cat(fill_missing(frames, frame_mask, current), dim=1)
        for block in self.blocks:
            fused = _recomputed(block, fused) if self.with_cp and torch.is_grad_enabled() else block(fused)
        return self.projection(fused.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()


def fill_missing(frames: Sequence[Tensor | None], frame_mask: Tensor, current: int) -> list[Tensor]:
    """Replace, per sample, each missing frame by its neighbour on the side of the current frame, without gradient.

    Args:
        frames: T maps (B, C, H, W); None where no sample has the frame.
        frame_mask: (B, T) False where a sample lacks the frame.
        current: Index of the current frame, which no sample may lack.
    """
    filled = {current: cast(Tensor, frames[current])}
    order = [(t, t + 1) for t in reversed(range(current))] + [(t, t - 1) for t in range(current + 1, len(frames))]
    for t, neighbour in order:
        copy, frame = filled[neighbour].detach(), frames[t]
        filled[t] = copy if frame is None else torch.where(frame_mask[:, t, None, None, None], frame, copy)
    return [filled[t] for t in range(len(frames))]


def _residual_block(in_channels: int, channels: int, norm_cfg: Mapping[str, Any]) -> BasicBlock:
    """ResNet's basic block; a 3x3 convolution on the shortcut where the width changes."""
    shortcut = None
    if in_channels != channels:
        convolution = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        shortcut = nn.Sequential(convolution, MODELS.build({**norm_cfg, "num_features": channels}))
    return BasicBlock(in_channels, channels, norm_cfg=dict(norm_cfg), downsample=shortcut)


def _recomputed(block: nn.Module, fused: Tensor) -> Tensor:
    """What the block makes of maps; its intermediate results are computed again in the backward pass."""
    return checkpoint(
        block, fused, use_reentrant=False, context_fn=lambda: (nullcontext(), _StatisticsUntouched(block))
    )


class _StatisticsUntouched(AbstractContextManager):
    """Within, batch norms in training mode update copies of their running statistics.

    A class, since several backward passes through one forward pass enter it several times.
    """

    def __init__(self, block: nn.Module) -> None:
        self.block = block
        self.kept: list[tuple[nn.Module, dict[str, Tensor]]] = []

    def __enter__(self) -> None:
        norms = (part for part in self.block.modules() if isinstance(part, _BatchNorm) and part.training)
        self.kept = [(norm, dict(norm.named_buffers(recurse=False))) for norm in norms]
        for norm, statistics in self.kept:
            for name, value in statistics.items():
                setattr(norm, name, value.clone())

    def __exit__(self, *_: object) -> None:
        for norm, statistics in self.kept:
            for name, value in statistics.items():
                setattr(norm, name, value)
