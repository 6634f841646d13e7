"""RoIAlign, after `mmcv/ops/roi_align.py`, served by torchvision (average pooling only).

Shapes: R regions, C channels, H W feature map, h w pooled output.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torchvision.ops import roi_align

from bev.compat.mmcv_ext._autograd import vector_jacobian, widen

AVERAGE = 1  # mmcv's code for pool_mode='avg'; 0 is 'max'


def _require_average(pool_mode: int) -> None:
    if pool_mode != AVERAGE:
        raise NotImplementedError(
            "RoIAlign with pool_mode='max' needs mmcv's compiled extension; bev.compat serves pool_mode='avg'."
        )


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pools the regions of a feature map into `output`.

    Args:
        input: (B, C, H, W).
        rois: (R, 5) index on B and left, top, right, bottom in image pixels.
        output: (R, C, h, w), written.
        argmax_y: used by max pooling only.
        argmax_x: used by max pooling only.
        aligned_height: h.
        aligned_width: w.
        spatial_scale: feature cells per image pixel.
        sampling_ratio: samples per bin and axis; 0 chooses by the region's size.
        pool_mode: 1 (average).
        aligned: shifts the regions by half a cell, as pixel centres ask for.

    Raises:
        NotImplementedError: for max pooling.
    """
    _require_average(pool_mode)
    size = (aligned_height, aligned_width)
    output.copy_(roi_align(widen(input), widen(rois), size, spatial_scale, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Writes the gradient of `roi_align_forward` to `grad_input` (B, C, H, W); the arguments are those of forward."""
    _require_average(pool_mode)
    pool = partial(
        roi_align,
        boxes=widen(rois),
        output_size=(aligned_height, aligned_width),
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        aligned=aligned,
    )
    # Pooling is linear in the feature map, so that any map of the right shape has this gradient.
    (gradient,) = vector_jacobian(pool, [grad_input], grad_output)
    grad_input.copy_(gradient)
