"""Checks of the arguments of spatial cross-attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from bev_ops._sizes import integers
from torch import Tensor

Splits = Tensor | Sequence[int]


def splits_tensor(splits: Splits, device: torch.device) -> Tensor:
    """The first camera row of each sample, and the number of rows, as a tensor (B + 1,) int64 on `device`."""
    if not isinstance(splits, Tensor):
        return integers(tuple(splits), device)
    return splits.to(device=device, dtype=torch.int64)


def check_tensors(
    values: Tensor,
    shapes: Tensor,
    splits: Tensor,
    reference_points: Tensor,
    visible: Tensor,
    offsets: Tensor,
    weights: Tensor,
) -> None:
    """Check that the tensors fit each other.

    Raises:
        ValueError: says what is wrong, what was expected and what was given.
    """
    _check_ranks(values, reference_points, offsets)
    rows, _, heads, _ = values.shape
    batch, queries, _, levels, points, _ = offsets.shape
    if offsets.shape[2] != heads:
        raise ValueError(f"bev_cross_attention: values have {heads} heads, offsets {offsets.shape[2]}")
    anchors = reference_points.shape[2]
    if anchors < 1 or points % anchors:
        raise ValueError(
            f"bev_cross_attention: {points} points can't be dealt out evenly to {anchors} reference points"
        )
    expected = {
        "spatial_shapes": (shapes, (levels, 2)),
        "splits": (splits, (batch + 1,)),
        "reference_points": (reference_points, (rows, queries, anchors, 2)),
        "visible": (visible, (rows, queries)),
        "weights": (weights, tuple(offsets.shape[:5])),
    }
    for name, (tensor, shape) in expected.items():
        if tuple(tensor.shape) != shape:
            raise ValueError(f"bev_cross_attention: {name} must have shape {shape}, got {tuple(tensor.shape)}")
    named = {"reference_points": reference_points, "visible": visible, "offsets": offsets, "weights": weights}
    for name, tensor in named.items():
        if tensor.device != values.device:
            raise ValueError(f"bev_cross_attention: {name} is on {tensor.device}, values on {values.device}")
    if visible.dtype != torch.bool:
        raise ValueError(f"bev_cross_attention: visible must be bool, got {visible.dtype}")
    if reference_points.requires_grad:
        raise ValueError(
            "bev_cross_attention: reference_points have no gradient; detach them, or use ms_deform_attn if calibration "
            "is learned"
        )


def _check_ranks(values: Tensor, reference_points: Tensor, offsets: Tensor) -> None:
    if values.dim() != 4:
        raise ValueError(f"bev_cross_attention: values must be (R, S, H, D), got shape {tuple(values.shape)}")
    if offsets.dim() != 6 or offsets.shape[5] != 2:
        raise ValueError(f"bev_cross_attention: offsets must be (B, Q, H, L, P, 2), got shape {tuple(offsets.shape)}")
    if reference_points.dim() != 4:
        raise ValueError(
            f"bev_cross_attention: reference_points must be (R, Q, Z, 2), got shape {tuple(reference_points.shape)}"
        )


def check_splits(splits: Splits, rows: int) -> None:
    """Check that splits known on the host deal out `rows` camera rows; see `check_pixels`.

    Raises:
        ValueError: if they don't rise from 0 to `rows`.
    """
    if isinstance(splits, Tensor) or torch.compiler.is_compiling():
        return
    if splits[0] != 0 or splits[-1] != rows or list(splits) != sorted(splits):
        raise ValueError(f"bev_cross_attention: splits must rise from 0 to {rows}, the rows of values, got {splits}")
