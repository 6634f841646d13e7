"""Moving a BEV map into another frame, or onto another grid, by resampling it.

Shapes: B batch, C channels, H, W rows and columns of the BEV grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bev.geometry.grid import BEVGrid


def resample_bev(bev_map: Tensor, grid: BEVGrid, new_T_old: Tensor) -> Tensor:
    """Bilinear resampling of maps after a motion in the ground plane; what comes from outside is zero.

    Samples whose motion is the identity are returned bit for bit.

    Args:
        bev_map: (B, C, H, W) in the old frame.
        grid: Bounds of both the old and the new map.
        new_T_old: (B, 4, 4), metres; rotation about z, scale, mirroring and translation in x and y count.

    Returns:
        (B, C, H, W) in the new frame.
    """
    identity = torch.eye(4, device=new_T_old.device, dtype=new_T_old.dtype)
    moved = (new_T_old != identity).flatten(1).any(1)
    if not moved.any():
        return bev_map
    with torch.autocast(bev_map.device.type, enabled=False):
        old_T_new = torch.linalg.inv(new_T_old.float())
        centres = grid.cell_centres(device=bev_map.device)
        sources = torch.einsum("bij,hwj->bhwi", old_T_new[:, :2, :2], centres) + old_T_new[:, None, None, :2, 3]
        size = centres.new_tensor([grid.width, grid.height])
        resampled = read_map(bev_map, grid.to_cells(sources) / size * 2 - 1)
    return torch.where(moved[:, None, None, None], resampled, bev_map)


def crop_bev(bev_map: Tensor, grid: BEVGrid, target: BEVGrid) -> Tensor:
    """The part of maps that another grid of the same frame covers, at that grid's resolution.

    Args:
        bev_map: (B, C, H, W) on `grid`.
        grid: Of the map.
        target: Where values are wanted; a map on the same cells is returned as it is. Cells are read bilinearly at
            their centres; beyond the map its nearest value counts.

    Returns:
        (B, C, target height, target width).
    """
    same_area = grid.bounds[:2] == target.bounds[:2] and grid.bounds[3:5] == target.bounds[3:5]
    if same_area and grid.shape == target.shape:
        return bev_map
    size = torch.tensor([grid.width, grid.height], dtype=torch.float32, device=bev_map.device)
    locations = grid.to_cells(target.cell_centres(device=bev_map.device)) / size * 2 - 1
    return read_map(bev_map, locations.expand(len(bev_map), -1, -1, -1), padding_mode="border")


def read_map(bev_map: Tensor, locations: Tensor, mode: str = "bilinear", padding_mode: str = "zeros") -> Tensor:
    """Values of maps of any float type at places that keep their precision.

    Args:
        bev_map: (B, C, H, W).
        locations: (B, h, w, 2) x and y, -1 at the left or top edge of the map and 1 at the other edge.
        mode: "bilinear" or "nearest".
        padding_mode: "zeros", or "border" for the nearest value beyond the map.

    Returns:
        (B, C, h, w), of the map's type.
    """
    # 16 bits tell places apart to about a cell only, and grid_sample wants map and places of one type.
    dtype = torch.promote_types(bev_map.dtype, torch.float32)
    read = F.grid_sample(
        bev_map.to(dtype), locations.to(dtype), mode=mode, padding_mode=padding_mode, align_corners=False
    )
    return read.to(bev_map.dtype)
