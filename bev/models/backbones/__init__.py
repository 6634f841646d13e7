"""Image backbones."""

from bev.models.backbones.internimage import InternImage, build_internimage

__all__ = ["InternImage", "build_internimage"]
