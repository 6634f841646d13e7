"""From a BEV map to the classes of voxels above every cell.

Shapes: B batch, C channels, Z heights, H, W rows and columns of the map (along y and x), X = W and Y = H voxels along x
and y, K classes, F voxels that are refined.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from bev_ops.modules import Linear
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError


class _VolumeBlock(nn.Module):
    """3D convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, volume: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(volume)), inplace=True)


@MODELS.register_module()
class VolumeDecoder(nn.Module):
    """The challenge's baseline: channels become heights, then 3D convolutions and a classifier of each voxel.

    Args:
        in_channels: C, a multiple of `heights`.
        heights: Z.
        channels: Of the 3D convolutions.
        num_layers: 3D convolutions.
        hidden: Of the classifier.
        num_classes: K.
    """

    def __init__(
        self,
        in_channels: int = 256,
        heights: int = 16,
        channels: int = 32,
        num_layers: int = 2,
        hidden: int = 64,
        num_classes: int = 18,
    ) -> None:
        super().__init__()
        if in_channels % heights:
            raise InputError(f"in_channels must be a multiple of heights, not {in_channels} and {heights}")
        widths = [in_channels // heights, *[channels] * num_layers]
        self.heights = heights
        self.layers = nn.Sequential(*(_VolumeBlock(a, b) for a, b in pairwise(widths)))
        self.classifier = nn.Sequential(Linear(widths[-1], hidden), nn.Softplus(), Linear(hidden, num_classes))

    def forward(self, bev_map: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, X, Y, Z, K) of a map (B, C, H, W), in a tuple of one."""
        batch, channels, height, width = bev_map.shape
        volume = self.layers(bev_map.view(batch, channels // self.heights, self.heights, height, width))
        return (self.classifier(volume.permute(0, 4, 3, 2, 1)),)


@MODELS.register_module()
class ChannelToHeight(nn.Module):
    """All heights of a cell from its channels, by 2D convolutions only (FlashOcc, arXiv 2311.12058).

    Args:
        in_channels: C.
        heights: Z.
        channels: Of the convolutions.
        num_layers: 3 x 3 convolutions.
        hidden: Of the classifier of a cell.
        num_classes: K.
        cell_split: The map may be this many times coarser along x and y than the voxels; a cell then predicts
            `cell_split` x `cell_split` columns.
    """

    def __init__(
        self,
        in_channels: int = 256,
        heights: int = 16,
        channels: int = 256,
        num_layers: int = 1,
        hidden: int = 512,
        num_classes: int = 18,
        cell_split: int = 1,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer in range(num_layers):
            layers += [nn.Conv2d(channels if layer else in_channels, channels, 3, padding=1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            Linear(channels if num_layers else in_channels, hidden),
            nn.Softplus(),
            Linear(hidden, cell_split**2 * heights * num_classes),
        )
        self.cell_split, self.heights, self.num_classes = cell_split, heights, num_classes

    def forward(self, bev_map: Tensor, cells: Tensor | None = None) -> tuple[Tensor, ...]:
        """Decode a map.

        Args:
            bev_map: (B, C, H, W).
            cells: (M,) int64, numbers column * H + row of the cells to classify; None for all.

        Returns:
            A tuple of one: logits (B, X, Y, Z, K), where X and Y are `cell_split` times W and H. For chosen cells
            (B, N, Z, K), the columns of voxels in the order of the cells, `cell_split` x `cell_split` in each.
        """
        states = self.layers(bev_map).transpose(2, 3)
        batch, _, x, y = states.shape
        split, voxels = self.cell_split, (self.heights, self.num_classes)
        states = states.flatten(2).transpose(1, 2)
        if cells is not None:
            return (self.classifier(states[:, cells]).view(batch, -1, *voxels),)
        columns = self.classifier(states).view(batch, x, y, split, split, -1).transpose(2, 3)
        return (columns.reshape(batch, x * split, y * split, *voxels),)


@MODELS.register_module()
class CoarseToFine(nn.Module):
    """Voxels of twice the size first; those that are hardest to tell are split into eight.

    Logits of voxels that are not split are those of the coarse voxel around them, so that the work grows with the
    surfaces of the scene and not with its volume.

    Args:
        in_channels: C.
        heights: Z, even.
        channels: Of the convolutions and of the refinement.
        refined: Share of the coarse voxels that are split: those least certainly free.
        num_classes: K.
    """

    def __init__(
        self,
        in_channels: int = 256,
        heights: int = 16,
        channels: int = 128,
        refined: float = 0.15,
        num_classes: int = 18,
    ) -> None:
        super().__init__()
        if heights % 2 or not 0 < refined <= 1:
            raise InputError(f"heights must be even and refined in (0, 1], not {heights} and {refined}")
        self.refined = refined
        self.coarse = ChannelToHeight(in_channels, heights // 2, channels, 1, 2 * channels, num_classes)
        self.height_codes = nn.Parameter(torch.zeros(heights, channels))
        nn.init.normal_(self.height_codes, std=0.02)
        self.of_cell = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.of_coarse = Linear(num_classes, channels)
        self.classifier = nn.Sequential(nn.ReLU(), Linear(channels, channels), nn.ReLU())
        self.output = Linear(channels, num_classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, bev_map: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, X, Y, Z, K) and coarse ones (B, X / 2, Y / 2, Z / 2, K) of a map (B, C, H, W) of even size.

        Raises:
            InputError: If H or W is odd.
        """
        if bev_map.shape[2] % 2 or bev_map.shape[3] % 2:
            raise InputError(f"the map must have even height and width, not {tuple(bev_map.shape[2:])}")
        (coarse,) = self.coarse(F.avg_pool2d(bev_map, 2))
        fine = coarse
        for axis in (1, 2, 3):
            fine = fine.repeat_interleave(2, axis)
        cells = self.of_cell(bev_map).permute(0, 3, 2, 1)
        batch, x, y, z = (axis.flatten() for axis in self._children(coarse.detach()))
        before = fine[batch, x, y, z]
        states = cells[batch, x, y] + self.height_codes[z] + self.of_coarse(before)
        refined = before + self.output(self.classifier(states))
        return fine.index_put((batch, x, y, z), refined), coarse

    def _children(self, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample and fine indices (F, 8) of the voxels inside the coarse voxels that are split."""
        occupied = 1 - coarse.softmax(-1)[..., -1].flatten(1)
        count = max(1, round(self.refined * occupied.shape[1]))
        chosen = occupied.topk(count, dim=1).indices
        batch = torch.arange(len(coarse), device=coarse.device)[:, None].expand_as(chosen).reshape(-1, 1)
        index = chosen.reshape(-1)
        _, _, size_y, size_z, _ = coarse.shape
        x, y, z = index // (size_y * size_z), index // size_z % size_y, index % size_z
        offset = torch.arange(8, device=coarse.device)
        fine = [2 * value[:, None] + (offset >> shift) % 2 for value, shift in ((x, 2), (y, 1), (z, 0))]
        return batch.expand(-1, 8), fine[0], fine[1], fine[2]
