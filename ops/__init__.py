"""Deformable sampling operators for PyTorch: DCNv3 and multi-scale deformable attention.

`functional` holds the operators, `reference` the same operators in plain PyTorch, `modules` the layers built on them.
A compiled library serves the devices it was built for; the reference serves the others, and `backends()` says which.
"""

from bev_ops import functional, modules, reference
from bev_ops._library import backends, use_reference

__all__ = ["backends", "functional", "modules", "reference", "use_reference"]
