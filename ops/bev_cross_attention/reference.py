"""Spatial cross-attention in plain PyTorch.

Shape glossary: B samples, R cameras of all samples, S pixels of all levels, H heads, D channels per head, Q queries, L
levels, P points a level, Z reference points of a query.
"""

from __future__ import annotations

import torch
from bev_ops.bev_cross_attention.arguments import Splits, check_splits, check_tensors, splits_tensor
from bev_ops.ms_deform_attn.arguments import SpatialShapes, shapes_tensor
from bev_ops.ms_deform_attn.reference import ms_deform_attn
from torch import Tensor


def bev_cross_attention(
    values: Tensor,
    spatial_shapes: SpatialShapes,
    splits: Splits,
    reference_points: Tensor,
    visible: Tensor,
    offsets: Tensor,
    weights: Tensor,
) -> Tensor:
    """Mean of deformable attention to each camera; see `bev_ops.functional.bev_cross_attention`.

    Every query is asked of every camera, and what unseen ones answer is left out.
    """
    host = torch.device("cpu")
    shapes, bounds = shapes_tensor(spatial_shapes, host), splits_tensor(splits, host)
    check_tensors(values, shapes, bounds, reference_points, visible, offsets, weights)
    check_splits(bounds.tolist(), len(values))
    samples = torch.repeat_interleave(bounds.diff()).to(values.device)  # of each row

    anchors = reference_points.shape[2]
    sizes = shapes.flip(-1).to(offsets.device, offsets.dtype)  # width, height
    steps = offsets.unflatten(4, (-1, anchors)) / sizes[:, None, None, :]
    locations = reference_points[:, :, None, None, None] + steps[samples]
    locations = locations.flatten(4, 5).to(values.dtype)

    read = ms_deform_attn(values, shapes, locations, weights[samples])
    read = torch.where(visible[..., None], read, 0)
    total = read.new_zeros(len(offsets), *read.shape[1:]).index_add(0, samples, read)
    seen = read.new_zeros(len(offsets), visible.shape[1]).index_add(0, samples, visible.to(read.dtype))
    return total / seen.clamp(min=1)[..., None]
