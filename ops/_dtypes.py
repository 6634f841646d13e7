"""The types that the operators compute in."""

from __future__ import annotations

import torch
from torch import Tensor

LOW_PRECISION = (torch.float16, torch.bfloat16)


def compute_dtype(op: str, tensors: dict[str, Tensor]) -> torch.dtype:
    """float64 if all tensors are, else float32; 16-bit tensors are computed with in float32.

    Raises:
        ValueError: if float64 is mixed with other types, or a tensor isn't floating point.
    """
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if dtypes == {torch.float64}:
        return torch.float64
    if dtypes <= {torch.float32, *LOW_PRECISION}:
        return torch.float32
    given = ", ".join(f"{name} {tensor.dtype}" for name, tensor in tensors.items())
    raise ValueError(f"{op}: tensors must be all float64, or any of float32, float16 and bfloat16, got {given}")
