"""Blocks and stages of InternImage (paper, section 3.2).

Shapes: B images, H W height and width of the stage's map, C channels of the stage.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from bev_ops import fused
from bev_ops.modules import DCNv3
from timm.layers import DropPath
from torch import nn
from torch.utils.checkpoint import checkpoint

from bev.models.backbones.internimage.layers import Downsample, Mlp, layer_norm
from bev.models.backbones.internimage.variants import Architecture


class Block(nn.Module):
    """A residual DCNv3 branch followed by a residual MLP branch."""

    def __init__(self, arch: Architecture, stage: int, drop_path: float, with_cp: bool = False) -> None:
        """Build a block.

        Args:
            arch: The whole model's architecture.
            stage: Index of the stage that the block belongs to.
            drop_path: Probability of leaving out a branch in training, per image.
            with_cp: Recompute the block in the backward pass instead of keeping its intermediate maps.
        """
        super().__init__()
        channels = arch.stage_channels[stage]
        self.with_cp = with_cp
        self.post_norm = arch.post_norm
        self.norm1 = layer_norm(channels)
        self.dcn = _dcn(arch, stage)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.norm2 = layer_norm(channels)
        self.mlp = Mlp(channels, int(channels * arch.mlp_ratio))
        self.gamma1 = self.gamma2 = None
        if arch.layer_scale is not None:
            self.gamma1 = nn.Parameter(torch.full((channels,), arch.layer_scale))
            self.gamma2 = nn.Parameter(torch.full((channels,), arch.layer_scale))
        self.res_post_norm1 = self.res_post_norm2 = None
        if arch.res_post_norm:
            self.res_post_norm1 = layer_norm(channels)
            self.res_post_norm2 = layer_norm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, H, W, C)."""
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(self._forward, x, use_reentrant=False)
        return self._forward(x)

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._add(x, self.dcn, self.norm1, self.res_post_norm1, self.gamma1)
        # In training, stochastic depth needs to know which image a row belongs to.
        return self._add_mlp(x) if self.training else fused.by_rows(self._add_mlp, x)

    def _add_mlp(self, x: torch.Tensor) -> torch.Tensor:
        return self._add(x, self.mlp, self.norm2, self.res_post_norm2, self.gamma2)

    def _add(
        self,
        x: torch.Tensor,
        operator: nn.Module,
        norm: nn.Module,
        res_post_norm: nn.Module | None,
        gamma: torch.Tensor | None,
    ) -> torch.Tensor:
        """The map plus a branch of it."""
        y = norm(operator(x)) if self.post_norm else operator(norm(x))
        if res_post_norm is not None:
            y = res_post_norm(y)
        if not self.training:
            return fused.add_branch(x, y, gamma)
        return x + self.drop_path(y if gamma is None else gamma * y)


class Stage(nn.Module):
    """Blocks at one resolution, the norms among them, and the downsampling to the next stage."""

    def __init__(
        self, arch: Architecture, stage: int, drop_paths: Sequence[float], downsample: bool, with_cp: bool = False
    ) -> None:
        """Build a stage.

        Args:
            arch: The whole model's architecture.
            stage: Index of this stage.
            drop_paths: Stochastic depth of each block.
            downsample: Whether another stage follows.
            with_cp: Whether blocks are recomputed in the backward pass.
        """
        super().__init__()
        channels = arch.stage_channels[stage]
        self.blocks = nn.ModuleList(Block(arch, stage, rate, with_cp) for rate in drop_paths)
        # Branches that normalise their input leave their sum unnormalised; H and G normalise in either case.
        self.norm = layer_norm(channels) if not arch.post_norm or arch.center_feature_scale else None
        self.post_norm_blocks = arch.post_norm_blocks(stage)
        if self.post_norm_blocks:
            self.post_norms = nn.ModuleList(layer_norm(channels) for _ in self.post_norm_blocks)
        self.downsample = Downsample(channels, arch.stem_norm) if downsample else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, H, W, C): all but the downsampling, which the model calls where it is needed."""
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.post_norm_blocks:
                x = self.post_norms[self.post_norm_blocks.index(index)](x)
        return x if self.norm is None else self.norm(x)


def _dcn(arch: Architecture, stage: int) -> DCNv3:
    return DCNv3(
        channels=arch.stage_channels[stage],
        kernel_size=3,
        dw_kernel_size=arch.dw_kernel_size,
        group=arch.groups[stage],
        offset_scale=arch.offset_scale,
        center_feature_scale=arch.center_feature_scale,
        remove_center=arch.remove_center,
        softmax=arch.dcn_softmax,
    )
