"""Multi-scale deformable attention, after `mmcv/ops/multi_scale_deform_attn.py`, served by `bev_ops`.

Shapes: B batch, K keys of all levels, Q queries, M heads, L levels, P points, C channels per head.
mmcv's module asks its extension on accelerators only; on CPU it runs mmcv's own PyTorch code.
"""

from __future__ import annotations

from torch import Tensor

from bev.compat.mmcv_ext._autograd import vector_jacobian


def _attend(value: Tensor, spatial_shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    # Imported here, so that the OpenMMLab packages import where bev_ops is not built (yet).
    from bev_ops.functional import ms_deform_attn

    return ms_deform_attn(value, spatial_shapes, locations, weights)


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    *,
    im2col_step: int,
) -> Tensor:
    """Samples each level around each query and sums the samples by their weights.

    Args:
        value: (B, K, M, C).
        spatial_shapes: (L, 2) int64 height and width.
        level_start_index: (L,), unused: it follows from the shapes.
        sampling_locations: (B, Q, M, L, P, 2) x and y, where the image spans [0, 1].
        attention_weights: (B, Q, M, L, P).
        im2col_step: unused: it splits the batches of mmcv's kernels.

    Returns:
        (B, Q, M * C).
    """
    return _attend(value, spatial_shapes, sampling_locations, attention_weights)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    *,
    im2col_step: int,
) -> None:
    """Writes the three gradients; the other arguments are those of `ms_deform_attn_forward`."""
    gradients = vector_jacobian(
        lambda v, locations, weights: _attend(v, spatial_shapes, locations, weights),
        [value, sampling_locations, attention_weights],
        grad_output,
    )
    for target, gradient in zip((grad_value, grad_sampling_loc, grad_attn_weight), gradients, strict=True):
        target.copy_(gradient)
