"""Layers built on the operators."""

from bev_ops.dcnv3.module import DCNv3
from bev_ops.linear import Linear

__all__ = ["DCNv3", "Linear"]
