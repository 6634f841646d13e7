"""Ground truth of the occupancy head.

Shapes: B batch, X, Y, Z voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from bev.datasets.occ3d.classes import UNKNOWN
from bev.errors import InputError
from bev.structures.samples import sample_name


@dataclass
class VoxelTargets:
    """Labels and masks of a batch.

    Attributes:
        semantics: (B, X, Y, Z) int64; `UNKNOWN` where nothing is known.
        camera: (B, X, Y, Z) bool, voxels that cameras see.
        lidar: (B, X, Y, Z) bool, voxels that the LiDAR saw.
    """

    semantics: Tensor
    camera: Tensor
    lidar: Tensor

    def counted(self, mask: str | None) -> Tensor | None:
        """The voxels (B, X, Y, Z) bool that count under a mask; None for all of them."""
        known = self.semantics != UNKNOWN
        if mask is None:
            return None if bool(known.all()) else known
        return known & (self.camera if mask == "camera" else self.lidar)

    def of_columns(self, columns: Tensor) -> VoxelTargets:
        """Targets (B, N, Z) of columns, numbers x * Y + y (N,)."""
        return VoxelTargets(*(t.flatten(1, 2)[:, columns] for t in (self.semantics, self.camera, self.lidar)))


def occupancy_targets(
    samples: Sequence[Det3DDataSample], shape: tuple[int, int, int], num_classes: int, device: torch.device
) -> VoxelTargets:
    """Targets of samples with `gt_occupancy`.

    Args:
        samples: B samples.
        shape: (X, Y, Z).
        num_classes: Classes of the head, free space last.
        device: Where the targets go.

    Raises:
        InputError: If a sample has no labels, labels of another shape, or of classes that the head doesn't have.
    """
    for number, sample in enumerate(samples):
        name = sample_name(sample, number)
        if "gt_occupancy" not in sample:
            raise InputError(f"sample {name} has no gt_occupancy: put LoadOccupancy into the training pipeline")
        found = tuple(sample.gt_occupancy.semantics.shape)
        if found != tuple(shape):
            raise InputError(f"sample {name}: occupancy labels of shape {found}, but the head's voxels are {shape}")
        semantics = sample.gt_occupancy.semantics
        largest = int(torch.where(semantics == UNKNOWN, 0, semantics).max())
        if largest >= num_classes:
            raise InputError(f"sample {name}: occupancy label {largest} does not fit a head of {num_classes} classes")
    semantics, camera, lidar = (
        torch.stack([sample.gt_occupancy.get(name) for sample in samples]).to(device)
        for name in ("semantics", "mask_camera", "mask_lidar")
    )
    return VoxelTargets(semantics.long(), camera, lidar)


def coarser(targets: VoxelTargets, free: int) -> VoxelTargets:
    """Targets of voxels of twice the size: the most frequent occupied label inside, else `free`, else unknown."""
    _, x, y, z = targets.semantics.shape
    children = _children(targets.semantics[:, : x // 2 * 2, : y // 2 * 2, : z // 2 * 2])
    votes = torch.stack([(children == child[..., None]).sum(-1) for child in children.unbind(-1)], dim=-1)
    votes = votes * (children < free) * 16 + (children == free)
    semantics = children.gather(-1, votes.argmax(-1, keepdim=True))[..., 0]
    masks = (_children(mask[:, : x // 2 * 2, : y // 2 * 2, : z // 2 * 2]) for mask in (targets.camera, targets.lidar))
    camera, lidar = (mask.any(-1) for mask in masks)
    return VoxelTargets(semantics, camera, lidar)


def _children(values: Tensor) -> Tensor:
    """(B, X, Y, Z) to (B, X / 2, Y / 2, Z / 2, 8)."""
    batch, x, y, z = values.shape
    blocks = values.view(batch, x // 2, 2, y // 2, 2, z // 2, 2)
    return blocks.permute(0, 1, 3, 5, 2, 4, 6).flatten(4)
