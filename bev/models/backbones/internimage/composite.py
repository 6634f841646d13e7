"""Two InternImages in a row, as in CBNetV2 (https://arxiv.org/abs/2107.00420, section 3).

The published detectors call it CB-InternImage. The assisting backbone's maps of a stage and of all later ones are
added to what goes into that stage of the lead backbone, which starts from the assisting backbone's stem.
CBNetV2 calls this dense higher-level composition.

Shapes: B images, H W height and width of the images, C_s channels of stage s, whose stride is 4 * 2**s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import nn

from bev.models.backbones.internimage.model import InternImage

Maps = tuple[torch.Tensor, ...]


@MODELS.register_module()
class CompositeInternImage(BaseModule):
    """An assisting InternImage that feeds a lead InternImage; parameters have the names of the official release.

    The connections start at zero: at first, the lead backbone computes what it would compute alone.
    """

    def __init__(
        self,
        variant: str = "h",
        out_indices: Sequence[int] = (1, 2, 3),
        with_cp: bool = False,
        init_cfg: dict[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        """Build both backbones.

        Args:
            variant: One of t, s, b, l, xl, h, g.
            out_indices: Stages whose maps are returned, of either backbone.
            with_cp: Gradient checkpointing in both.
            init_cfg: How mmengine initialises the weights.
            **overrides: Fields of `Architecture`.

        Raises:
            InputError: For an unknown variant, stage or inconsistent architecture.
            TypeError: For an override that doesn't exist.
        """
        super().__init__(init_cfg)
        assisting = InternImage(variant, with_cp=with_cp, **overrides)
        lead = InternImage(variant, out_indices=out_indices, with_cp=with_cp, **overrides)
        del lead.patch_embed
        channels = assisting.arch.stage_channels
        stages = range(lead.last_stage + 1)
        for stage in stages:
            lead.register_parameter(f"gamma{stage}", nn.Parameter(torch.zeros(channels[stage])))
        self.out_indices = lead.out_indices or ()
        self.cb_modules: Sequence[InternImage] = nn.ModuleList([assisting, lead])  # type: ignore[assignment]
        self.cb_linears: Sequence[nn.ModuleList] = nn.ModuleList(  # type: ignore[assignment]
            nn.ModuleList(_projection(later, channels[stage]) for later in channels[stage:]) for stage in stages
        )

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the maps that are returned."""
        return tuple(self.cb_modules[0].arch.stage_channels[index] for index in self.out_indices)

    def forward(self, images: torch.Tensor) -> Maps:
        """Maps of the lead backbone.

        Args:
            images: Normalised images (B, 3, H, W).

        Returns:
            One (B, C_s, ceil(H / stride), ceil(W / stride)) per entry of `out_indices`.
        """
        return self.forward_both(images)[1]

    def forward_both(self, images: torch.Tensor) -> tuple[Maps, Maps]:
        """Maps of the assisting and of the lead backbone, each as of `forward`."""
        assisting, lead = self.cb_modules
        stem = assisting.patch_embed(images)
        first = assisting.forward_levels(stem)
        second = lead.forward_levels(stem, self._connections(first))
        return self._outputs(first), self._outputs(second)

    def _connections(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """What is added to the input of each stage of the lead backbone, (B, H_s, W_s, C_s)."""
        maps = [each.permute(0, 3, 1, 2) for each in maps]
        added = []
        for stage, projections in enumerate(self.cb_linears):
            own, *later = (project(each) for project, each in zip(projections, maps[stage:], strict=True))
            total = sum((F.interpolate(each, size=own.shape[-2:]) for each in later), start=own)
            added.append(getattr(self.cb_modules[1], f"gamma{stage}") * total.permute(0, 2, 3, 1))
        return added

    def _outputs(self, maps: list[torch.Tensor]) -> Maps:
        return tuple(maps[index].permute(0, 3, 1, 2) for index in self.out_indices)


def _projection(channels: int, out_channels: int) -> nn.Module:
    """Brings a later stage's map to a stage's channels; a stage's own map is taken as it is."""
    return nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)
