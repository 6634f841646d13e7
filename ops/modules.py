"""Layers built on the operators."""

from bev_ops.dcnv3.module import DCNv3

__all__ = ["DCNv3"]
