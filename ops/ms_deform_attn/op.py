"""Multi-scale deformable attention (Deformable DETR, arXiv 2010.04159, section 4.1).

Shape glossary: B samples, S pixels of all levels, H heads, D channels per head, Q queries, L levels, P points a level.
"""

from __future__ import annotations

from typing import Any

import torch
from bev_ops._autograd import alert_not_deterministic, knows_derivatives, refuse_second_derivative
from bev_ops._dtypes import check_dtypes, compute_dtype, match_coordinates
from bev_ops._library import HAS_SCHEMAS, is_compiled
from bev_ops.ms_deform_attn import reference
from bev_ops.ms_deform_attn.arguments import SpatialShapes, check_pixels, check_shapes, shapes_tensor
from torch import Tensor


def ms_deform_attn(
    value: Tensor, spatial_shapes: SpatialShapes, sampling_locations: Tensor, attention_weights: Tensor
) -> Tensor:
    """Weighted sum over levels and points of values sampled bilinearly, zero outside of a level.

    A NaN location samples outside. 16-bit tensors are read and written as they are; coordinates, weights and sums are
    in float32.

    Args:
        value: (B, S, H, D), the levels one after another, each row by row.
        spatial_shapes: (L, 2), height and width of each level in pixels, as a tensor or a list of pairs.
        sampling_locations: (B, Q, H, L, P, 2), (x, y) with (0, 0) the top left corner of a level's first pixel and
            (1, 1) the bottom right corner of its last.
        attention_weights: (B, Q, H, L, P), any weights (attention gives a softmax over L * P).

    Returns:
        (B, Q, H * D), of the value's type.

    Raises:
        ValueError: on arguments that don't fit each other.
    """
    named = {"value": value, "sampling_locations": sampling_locations, "attention_weights": attention_weights}
    check_dtypes("ms_deform_attn", named)
    if is_compiled(value.device) and knows_derivatives("ms_deform_attn", *named.values()):
        shapes = shapes_tensor(spatial_shapes, value.device)
        check_shapes(value, shapes, sampling_locations, attention_weights)
        check_pixels("ms_deform_attn", spatial_shapes, value.shape[1])
        locations, weights = match_coordinates(value, sampling_locations, attention_weights)
        return torch.ops.bev_ops.ms_deform_attn(value, shapes, locations, weights)
    dtype = compute_dtype(value.dtype)
    values, locations, weights = (tensor.to(dtype) for tensor in named.values())
    return reference.ms_deform_attn(values, spatial_shapes, locations, weights).to(value.dtype)


def _fake(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    return value.new_empty(value.shape[0], locations.shape[1], value.shape[2] * value.shape[3])


def _fake_backward(
    grad: Tensor, value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor
) -> tuple[Tensor, ...]:
    return tuple(torch.empty_like(like, memory_format=torch.contiguous_format) for like in (value, locations, weights))


def _save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    alert_not_deterministic("ms_deform_attn", grad)
    value, locations, weights = torch.ops.bev_ops.ms_deform_attn_backward(grad, *ctx.saved_tensors)
    return value, None, locations, weights


def _register() -> None:
    torch.library.register_fake("bev_ops::ms_deform_attn", _fake)
    torch.library.register_fake("bev_ops::ms_deform_attn_backward", _fake_backward)
    torch.library.register_autograd("bev_ops::ms_deform_attn", _backward, setup_context=_save)
    refuse_second_derivative("ms_deform_attn")


if HAS_SCHEMAS:
    _register()
