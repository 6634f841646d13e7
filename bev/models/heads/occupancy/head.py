"""Semantic occupancy on a BEV map (CVPR 2023 occupancy challenge).

Shapes: B batch, X, Y, Z voxels, K classes, free space last, S scales, N columns of voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.grid import BEVGrid
from bev.geometry.voxels import VoxelGrid
from bev.models.heads.occupancy.decoders import ChannelToHeight
from bev.models.heads.occupancy.targets import VoxelTargets, coarser, occupancy_targets
from bev.models.losses.occupancy import VoxelLoss
from bev.models.temporal.resampling import crop_bev
from bev.structures import BEVFeatures


@dataclass
class OccupancyOutputs:
    """What the head says about a batch.

    Attributes:
        logits: S tensors (B, X, Y, Z, K), the finest voxels first; each further scale has voxels of twice the size.
            With `columns`, one tensor (B, N, Z, K).
        columns: (N,) int64, numbers x * Y + y of the columns that were decoded in a training step; None for all.
    """

    logits: tuple[Tensor, ...]
    columns: Tensor | None = None


@MODELS.register_module()
class OccupancyHead(nn.Module):
    """Classes of voxels.

    Args:
        grid: The voxels (`VoxelGrid` or its arguments), in the same frame as the BEV map, whose area may be larger.
        decoder: Config of a module from a map (B, C, H, W) on the voxels' ground to logits (B, X, Y, Z, K) by scale:
            `VolumeDecoder` (baseline), `ChannelToHeight` (fast), `CoarseToFine` (fine voxels).
        losses: Configs of `VoxelCrossEntropy`, `LovaszSoftmax` or `SceneClassAffinity`.
        cell_split: Voxels per map cell along x and y that the decoder makes.
        coarse_weight: Factor of the losses at each further scale.
        trained_share: Share of the map's cells, drawn anew in each training step, that is decoded and learned from.
            Classifying every voxel costs more than a small model's other parts; neighbours teach much the same.
            Needs a decoder that decodes single cells, `ChannelToHeight`.

    Raises:
        InputError: If an option does not fit the others.
    """

    source = "bev"
    predicts = "pred_occupancy"

    def __init__(
        self,
        grid: VoxelGrid | Mapping[str, Any],
        decoder: Mapping[str, Any],
        losses: Sequence[Mapping[str, Any]] = ({"type": "VoxelCrossEntropy"},),
        cell_split: int = 1,
        coarse_weight: float = 0.5,
        trained_share: float = 1.0,
    ) -> None:
        super().__init__()
        self.grid = grid if isinstance(grid, VoxelGrid) else VoxelGrid(tuple(grid["bounds"]), tuple(grid["shape"]))
        size_x, size_y, _ = self.grid.shape
        if size_x % cell_split or size_y % cell_split:
            raise InputError(f"cell_split {cell_split} does not divide {size_x} x {size_y} voxels")
        self.ground = BEVGrid(self.grid.bounds, (size_y // cell_split, size_x // cell_split))
        self.decoder = MODELS.build(decoder)
        self.losses = nn.ModuleList(MODELS.build(loss) for loss in losses)
        if not 0 < trained_share <= 1:
            raise InputError(f"trained_share must be in (0, 1], not {trained_share}")
        if trained_share < 1 and not isinstance(self.decoder, ChannelToHeight):
            raise InputError(f"trained_share={trained_share} needs the decoder ChannelToHeight")
        self.coarse_weight, self.cell_split, self.trained_share = coarse_weight, cell_split, trained_share

    def forward(self, features: BEVFeatures) -> OccupancyOutputs:
        """Decode a map (B, C, H, W); where its grid is not that of the voxels' ground, it is resampled first."""
        bev_map = crop_bev(features.map, features.grid, self.ground)
        if not self.training or self.trained_share == 1:
            return OccupancyOutputs(self.decoder(bev_map))
        count = self.ground.height * self.ground.width
        cells = torch.randperm(count, device=bev_map.device)[: max(1, round(self.trained_share * count))]
        return OccupancyOutputs(self.decoder(bev_map, cells), self._columns(cells))

    def _columns(self, cells: Tensor) -> Tensor:
        """Numbers x * Y + y (N,) of the columns of voxels in cells (M,), in the decoder's order."""
        split, height = self.cell_split, self.ground.height
        inner = torch.arange(split, device=cells.device)
        x = (cells // height * split)[:, None, None] + inner[:, None]
        y = (cells % height * split)[:, None, None] + inner
        return (x * height * split + y).flatten()

    def loss(self, outputs: OccupancyOutputs, samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses over the voxels that count.

        Args:
            outputs: As `forward` gives them.
            samples: B samples with `gt_occupancy` (semantics, mask_lidar, mask_camera) in the map's bev frame.

        Returns:
            `loss_cross_entropy`, `loss_lovasz`, `loss_affinity_geometric`, `loss_affinity_semantic`, as configured;
            those of further scales begin with `s1.`, `s2.`, ...
        """
        num_classes = outputs.logits[0].shape[-1]
        targets = occupancy_targets(samples, self.grid.shape, num_classes, outputs.logits[0].device)
        if outputs.columns is not None:
            targets = targets.of_columns(outputs.columns)
        functions = [cast(VoxelLoss, loss) for loss in self.losses]
        losses = {}
        for scale, logits in enumerate(outputs.logits):
            if scale:
                targets = coarser(targets, free=num_classes - 1)
            prefix, factor = (f"s{scale}.", self.coarse_weight**scale) if scale else ("", 1.0)
            voxels = {mask: _counted(logits, targets, mask) for mask in {loss.mask for loss in functions}}
            for loss in functions:
                losses[f"{prefix}loss_{loss.name}"] = factor * loss(*voxels[loss.mask])
        return losses

    @torch.no_grad()
    def predict(self, outputs: OccupancyOutputs, samples: Sequence[Det3DDataSample]) -> list[Tensor]:
        """The likeliest class of every voxel: (X, Y, Z) uint8 per sample."""
        return list(outputs.logits[0].argmax(-1).to(torch.uint8))


def _counted(logits: Tensor, targets: VoxelTargets, mask: str | None) -> tuple[Tensor, Tensor]:
    """Logits (M, K) and labels (M,) of the M voxels that count under a mask."""
    counted = targets.counted(mask)
    logits, labels = logits.flatten(0, -2), targets.semantics.flatten()
    if counted is not None:
        # Not logits[counted]: the gradient of a selection by rows is several times faster on CPUs.
        rows = counted.flatten().nonzero()[:, 0]
        logits, labels = logits.index_select(0, rows), labels[rows]
    return logits.float(), labels
