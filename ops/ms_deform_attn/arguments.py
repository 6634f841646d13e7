"""Checks of the arguments of deformable attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from bev_ops._sizes import integers
from torch import Tensor

SpatialShapes = Tensor | Sequence[tuple[int, int]]


def shapes_tensor(spatial_shapes: SpatialShapes, device: torch.device) -> Tensor:
    """Heights and widths of the levels as a tensor, (L, 2) int64, on `device`."""
    if not isinstance(spatial_shapes, Tensor):
        return integers(tuple((height, width) for height, width in spatial_shapes), device).reshape(-1, 2)
    return spatial_shapes.to(device=device, dtype=torch.int64)


def check_shapes(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> None:
    """Check that the tensors fit each other.

    Raises:
        ValueError: says what is wrong, what was expected and what was given.
    """
    if value.dim() != 4:
        raise ValueError(f"ms_deform_attn: value must be (B, S, H, D), got shape {tuple(value.shape)}")
    if locations.dim() != 6 or locations.shape[5] != 2:
        raise ValueError(
            f"ms_deform_attn: sampling_locations must be (B, Q, H, L, P, 2), got shape {tuple(locations.shape)}"
        )
    batch, _, heads, _ = value.shape
    levels = locations.shape[3]
    if locations.shape[0] != batch or locations.shape[2] != heads:
        raise ValueError(
            f"ms_deform_attn: value is for {batch} samples and {heads} heads, "
            f"sampling_locations for {locations.shape[0]} and {locations.shape[2]}"
        )
    if tuple(shapes.shape) != (levels, 2):
        raise ValueError(
            f"ms_deform_attn: spatial_shapes must be ({levels}, 2) for {levels} levels of sampling_locations, "
            f"got shape {tuple(shapes.shape)}"
        )
    if weights.shape != locations.shape[:5]:
        raise ValueError(
            f"ms_deform_attn: attention_weights must have shape {tuple(locations.shape[:5])}, "
            f"got {tuple(weights.shape)}"
        )
    for name, tensor in (("sampling_locations", locations), ("attention_weights", weights)):
        if tensor.device != value.device:
            raise ValueError(f"ms_deform_attn: {name} is on {tensor.device}, value on {value.device}")


def check_pixels(op: str, shapes: SpatialShapes, pixels: int) -> None:
    """Check that levels whose sizes are known on the host have `pixels` pixels in all.

    Tensors are left to the kernels, and so are sizes that are traced: they may not be known yet.

    Raises:
        ValueError: if they don't, or if a level is empty.
    """
    if isinstance(shapes, Tensor) or torch.compiler.is_compiling():
        return
    if any(height < 1 or width < 1 for height, width in shapes) or sum(h * w for h, w in shapes) != pixels:
        raise ValueError(f"{op}: spatial_shapes {list(shapes)} must be positive and sum to {pixels} pixels")
