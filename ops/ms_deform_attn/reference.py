"""Multi-scale deformable attention in plain PyTorch.

Shape glossary: B samples, S pixels of all levels, H heads, D channels per head, Q queries, L levels, P points a level.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from bev_ops.ms_deform_attn.arguments import SpatialShapes, check_pixels, check_shapes, shapes_tensor
from torch import Tensor


def ms_deform_attn(
    value: Tensor, spatial_shapes: SpatialShapes, sampling_locations: Tensor, attention_weights: Tensor
) -> Tensor:
    """Multi-scale deformable attention through `grid_sample`; see `bev_ops.functional.ms_deform_attn`."""
    shapes = shapes_tensor(spatial_shapes, torch.device("cpu"))
    check_shapes(value, shapes, sampling_locations, attention_weights)
    sizes = [(int(height), int(width)) for height, width in shapes.tolist()]
    check_pixels("ms_deform_attn", sizes, value.shape[1])
    batch, _, heads, depth = value.shape
    queries = sampling_locations.shape[1]

    output = value.new_zeros(batch * heads, depth, queries)
    levels = value.split([height * width for height, width in sizes], dim=1)
    for level, (maps, (height, width)) in enumerate(zip(levels, sizes, strict=True)):
        maps = maps.permute(0, 2, 3, 1).reshape(batch * heads, depth, height, width)
        grid = 2 * sampling_locations[:, :, :, level].transpose(1, 2).flatten(0, 1) - 1
        weights = attention_weights[:, :, :, level].transpose(1, 2).flatten(0, 1).unsqueeze(1)
        # NaN goes to a fixed place outside, where the sample and its gradient are 0.
        sampled = F.grid_sample(maps, torch.where(grid.abs() <= 3, grid, 3), align_corners=False)
        output = output + (sampled * weights).sum(-1)
    return output.view(batch, heads * depth, queries).transpose(1, 2).contiguous()
