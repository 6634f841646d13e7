"""The types that the operators take and compute in."""

from __future__ import annotations

import torch
from torch import Tensor

LOW_PRECISION = (torch.float16, torch.bfloat16)


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type of coordinates, weights and sums beside maps of type `dtype`."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def check_dtypes(op: str, tensors: dict[str, Tensor]) -> None:
    """Check that tensors are of one precision, where 16-bit types go with float32.

    Raises:
        ValueError: if float64 is mixed with other types, or a tensor isn't floating point.
    """
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if dtypes == {torch.float64} or dtypes <= {torch.float32, *LOW_PRECISION}:
        return
    given = ", ".join(f"{name} {tensor.dtype}" for name, tensor in tensors.items())
    raise ValueError(f"{op}: tensors must be all float64, or any of float32, float16 and bfloat16, got {given}")


def match_coordinates(maps: Tensor, *coordinates: Tensor) -> tuple[Tensor, ...]:
    """Coordinates in the maps' type if all are in it, else in the type that is computed in."""
    if all(tensor.dtype == maps.dtype for tensor in coordinates):
        return coordinates
    return tuple(tensor.to(compute_dtype(maps.dtype)) for tensor in coordinates)
