"""Deformable sampling operators for PyTorch: DCNv3 and multi-scale deformable attention.

`functional` holds the operators, `reference` the same operators in plain PyTorch, `modules` the layers built on them,
`fused` what stands between the matrix products of a network.
A compiled library serves the devices it was built for; the reference serves the others, and `backends()` says which.
"""

from bev_ops import functional, fused, modules, reference
from bev_ops._library import backends, use_reference

__all__ = ["backends", "functional", "fused", "modules", "reference", "use_reference"]
