"""InternImage as classifier and as feature extractor.

Shapes: B images, H W height and width of the images, C_s channels of stage s, whose stride is 4 * 2**s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from bev_ops.modules import DCNv3
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import nn

from bev.errors import InputError
from bev.models.backbones.internimage.clip_projector import (
    EMBEDDING_CHANNELS,
    NUM_HEADS,
    POOLED_CHANNELS,
    UPSAMPLING,
    AttentionPooling,
)
from bev.models.backbones.internimage.layers import Stem, layer_norm
from bev.models.backbones.internimage.stage import Stage
from bev.models.backbones.internimage.variants import Architecture, architecture

LINEAR_STD = 0.02


@MODELS.register_module()
class InternImage(BaseModule):
    """InternImage (https://arxiv.org/abs/2211.05778) with the parameter names of the official release.

    Attributes:
        arch: The architecture, with overrides applied.
        out_indices: Stages whose maps a feature extractor returns; None for a classifier.
        last_stage: The last stage that is run.
    """

    def __init__(
        self,
        variant: str = "t",
        num_classes: int | None = None,
        out_indices: Sequence[int] | None = None,
        with_cp: bool = False,
        keep_all_stages: bool = False,
        init_cfg: dict[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        """Build a classifier, if `num_classes` is given, or else a feature extractor.

        A feature extractor has the stages up to the last one in `out_indices` and no more, so that every parameter
        takes part in training (DistributedDataParallel insists on that).

        Args:
            variant: One of t, s, b, l, xl, h, g: the architecture that `overrides` start from.
            num_classes: Classes of a classifier.
            out_indices: Stages whose maps a feature extractor returns, counted from 0; all by default.
            with_cp: Gradient checkpointing: keep one map per block and recompute the rest in the backward pass.
            keep_all_stages: Build the stages beyond `out_indices` too, frozen and never run, so that a whole
                official checkpoint loads with `strict=True`.
            init_cfg: How mmengine initialises the weights, such as `dict(type="SafePretrained", checkpoint=...)`.
            **overrides: Fields of `Architecture`, such as `drop_path_rate` or `depths`.

        Raises:
            InputError: For an unknown variant, stage or inconsistent architecture.
            TypeError: For an override that doesn't exist.
        """
        super().__init__(init_cfg)
        self.arch = architecture(variant, classifier=num_classes is not None, **overrides)
        self.out_indices = _check_outputs(self.arch, num_classes, out_indices)
        self.last_stage = self.arch.num_stages - 1 if self.out_indices is None else max(self.out_indices)
        self._build_stages(self.arch.num_stages if keep_all_stages else self.last_stage + 1, with_cp)
        if num_classes is not None:
            self._build_head(num_classes)
        self.reset_parameters()
        self._freeze_unused()

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of each stage that is run."""
        return self.arch.depths[: self.last_stage + 1]

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the maps that a feature extractor returns."""
        return tuple(self.arch.stage_channels[index] for index in self.out_indices or ())

    def reset_parameters(self) -> None:
        """Draw linear weights as the official code does; DCNv3 and convolutions keep what they drew when built."""
        for module in _outside(self, DCNv3):
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=LINEAR_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Run the model.

        Args:
            images: Normalised images (B, 3, H, W), of any size.

        Returns:
            A classifier's logits (B, num_classes), or a feature extractor's maps, one (B, C_s, ceil(H / stride),
            ceil(W / stride)) per entry of `out_indices` in ascending order, in channels-last memory format.
        """
        maps = self.forward_stages(images)
        if self.out_indices is None:
            return self.head(self.pool(maps))
        return tuple(maps[index].permute(0, 3, 1, 2) for index in self.out_indices)

    def forward_stages(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Maps of all stages that are needed, (B, ceil(H / stride), ceil(W / stride), C_s) each.

        Args:
            images: Normalised images (B, 3, H, W).
        """
        return self.forward_levels(self.patch_embed(images))

    def forward_levels(self, x: torch.Tensor, added: Sequence[torch.Tensor] | None = None) -> list[torch.Tensor]:
        """What follows the stem.

        Args:
            x: The stem's map (B, ceil(H / 4), ceil(W / 4), C_0).
            added: A map for each stage, added to what goes into it.

        Returns:
            Maps of all stages that are needed, as of `forward_stages`.
        """
        maps = []
        for index in range(self.last_stage + 1):
            stage = self.levels[index]
            x = stage(x if added is None else x + added[index])
            maps.append(x)
            if index < self.last_stage and stage.downsample is not None:
                x = stage.downsample(x)
        return maps

    def _build_stages(self, count: int, with_cp: bool) -> None:
        self.patch_embed = Stem(self.arch.channels, self.arch.stem_norm)
        depths = self.arch.depths
        rates = torch.linspace(0, self.arch.drop_path_rate, sum(depths), device="cpu").split(depths)
        stages = (
            Stage(self.arch, index, rates[index].tolist(), downsample=index < count - 1, with_cp=with_cp)
            for index in range(count)
        )
        self.levels: Sequence[Stage] = nn.ModuleList(stages)  # type: ignore[assignment]

    def _build_head(self, num_classes: int) -> None:
        channels = self.arch.stage_channels[-1]
        if self.arch.use_clip_projector:
            widened = EMBEDDING_CHANNELS * UPSAMPLING**2
            self.dcnv3_head_x4 = nn.Sequential(nn.Conv2d(channels, widened, 1), nn.PixelShuffle(UPSAMPLING))
            self.dcnv3_head_x3 = nn.Conv2d(channels // 2, EMBEDDING_CHANNELS, 1)
            self.clip_projector = AttentionPooling(EMBEDDING_CHANNELS, POOLED_CHANNELS, NUM_HEADS)
            self.fc_norm = layer_norm(POOLED_CHANNELS)
            self.head = nn.Linear(POOLED_CHANNELS, num_classes)
            return
        hidden = int(channels * self.arch.cls_scale)
        norm = nn.Sequential(nn.BatchNorm2d(hidden))
        self.conv_head = nn.Sequential(nn.Conv2d(channels, hidden, 1, bias=False), norm, nn.GELU())
        self.head = nn.Linear(hidden, num_classes)

    def pool(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """What a classifier's last layer sees (B, D), from the maps of `forward_stages`."""
        if self.arch.use_clip_projector:
            return self.fc_norm(self.clip_projector(self._clip_embedding(*maps[-2:])))
        features = self.conv_head(maps[-1].permute(0, 3, 1, 2))
        return features.mean((2, 3))

    def _clip_embedding(self, third: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Sum of the third stage's map and the upsampled last one, as (B, P, EMBEDDING_CHANNELS)."""
        embedding = self.dcnv3_head_x3(third.permute(0, 3, 1, 2))
        height, width = embedding.shape[2:]
        # An odd map was rounded up when it was halved, so it comes back one row or column larger.
        embedding = embedding + self.dcnv3_head_x4(last.permute(0, 3, 1, 2))[:, :, :height, :width]
        return embedding.flatten(2).transpose(1, 2)

    def _freeze_unused(self) -> None:
        for stage in self.levels[self.last_stage + 1 :]:
            stage.requires_grad_(False)
        downsample = self.levels[self.last_stage].downsample
        if downsample is not None:
            downsample.requires_grad_(False)


def _check_outputs(
    arch: Architecture, num_classes: int | None, out_indices: Sequence[int] | None
) -> tuple[int, ...] | None:
    """Stages to return, ascending and checked; None for a classifier."""
    if num_classes is not None:
        if out_indices is not None or num_classes < 1:
            raise InputError(
                f"InternImage: a classifier takes a positive num_classes and no out_indices, "
                f"but got num_classes {num_classes} and out_indices {out_indices}"
            )
        return None
    indices = tuple(range(arch.num_stages)) if out_indices is None else tuple(sorted(set(out_indices)))
    if not indices or indices[0] < 0 or indices[-1] >= arch.num_stages:
        raise InputError(f"InternImage: out_indices {out_indices} are not among the {arch.num_stages} stages")
    return indices


def _outside(module: nn.Module, boundary: type[nn.Module]) -> list[nn.Module]:
    """`module` and its descendants, without those inside a `boundary`."""
    if isinstance(module, boundary):
        return []
    return [module] + [below for child in module.children() for below in _outside(child, boundary)]
