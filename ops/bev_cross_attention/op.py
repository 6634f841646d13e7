"""BEVFormer's spatial cross-attention (arXiv 2203.17270, section 3.3): queries read the cameras that see them.

Shape glossary: B samples, R cameras of all samples, S pixels of all levels, H heads, D channels per head, Q queries, L
levels, P points a level, Z reference points of a query.
"""

from __future__ import annotations

from typing import Any

import torch
from bev_ops._autograd import alert_not_deterministic, knows_derivatives, refuse_second_derivative
from bev_ops._dtypes import check_dtypes, compute_dtype, match_coordinates
from bev_ops._library import HAS_SCHEMAS, is_compiled
from bev_ops.bev_cross_attention import reference
from bev_ops.bev_cross_attention.arguments import Splits, check_splits, check_tensors, splits_tensor
from bev_ops.ms_deform_attn.arguments import SpatialShapes, check_pixels, shapes_tensor
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
    """Deformable attention of each query to the cameras that see it, averaged over these cameras.

    Each query reads every such camera with the same offsets and weights, around the camera's own reference points:
    point p of a level belongs to reference point p % Z. Nothing is gathered per camera, and no tensor is larger than
    the arguments. A query that no camera sees gives zeros. Points outside of a level, and NaN, read zeros.

    Args:
        values: (R, S, H, D), one row per camera, the cameras of a sample next to each other; the levels one after
            another, each row by row.
        spatial_shapes: (L, 2), height and width of each level in pixels, as a tensor or a list of pairs.
        splits: (B + 1,), sample b owns the rows from splits[b] to splits[b + 1], as a tensor or a list.
        reference_points: (R, Q, Z, 2), (x, y) with (0, 0) the top left corner of a level's first pixel and (1, 1) the
            bottom right corner of its last. Of any floating point type; they get no gradient.
        visible: (R, Q) bool, whether a camera sees a query. Of what it doesn't see, nothing is read.
        offsets: (B, Q, H, L, P, 2), (x, y) from the reference point, in pixels of the level.
        weights: (B, Q, H, L, P), any weights (attention gives a softmax over L * P).

    Returns:
        (B, Q, H * D), of the values' type.

    Raises:
        ValueError: on arguments that don't fit each other, and for reference points that require a gradient.
    """
    check_dtypes("bev_cross_attention", {"values": values, "offsets": offsets, "weights": weights})
    dtype = compute_dtype(values.dtype)
    points = reference_points.to(dtype)
    if is_compiled(values.device) and knows_derivatives("bev_cross_attention", values, points, offsets, weights):
        shapes, bounds = shapes_tensor(spatial_shapes, values.device), splits_tensor(splits, values.device)
        check_tensors(values, shapes, bounds, points, visible, offsets, weights)
        check_pixels("bev_cross_attention", spatial_shapes, values.shape[1])
        check_splits(splits, len(values))
        moved = match_coordinates(values, offsets, weights)
        return torch.ops.bev_ops.bev_cross_attention(values, shapes, bounds, points, visible, *moved)
    moved = (offsets.to(dtype), weights.to(dtype))
    output = reference.bev_cross_attention(values.to(dtype), spatial_shapes, splits, points, visible, *moved)
    return output.to(values.dtype)


def _fake(
    values: Tensor,
    shapes: Tensor,
    splits: Tensor,
    reference_points: Tensor,
    visible: Tensor,
    offsets: Tensor,
    weights: Tensor,
) -> Tensor:
    return values.new_empty(*offsets.shape[:2], values.shape[2] * values.shape[3])


def _fake_backward(grad: Tensor, values: Tensor, *arguments: Tensor) -> tuple[Tensor, ...]:
    likes = (values, *arguments[-2:])
    return tuple(torch.empty_like(like, memory_format=torch.contiguous_format) for like in likes)


def _save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    alert_not_deterministic("bev_cross_attention", grad)
    values, offsets, weights = torch.ops.bev_ops.bev_cross_attention_backward(grad, *ctx.saved_tensors)
    return values, None, None, None, None, offsets, weights


def _register() -> None:
    torch.library.register_fake("bev_ops::bev_cross_attention", _fake)
    torch.library.register_fake("bev_ops::bev_cross_attention_backward", _fake_backward)
    torch.library.register_autograd("bev_ops::bev_cross_attention", _backward, setup_context=_save)
    refuse_second_derivative("bev_cross_attention")


if HAS_SCHEMAS:
    _register()
