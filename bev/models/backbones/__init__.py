"""Image backbones."""

from bev.models.backbones.internimage import CompositeInternImage, InternImage, build_internimage

__all__ = ["CompositeInternImage", "InternImage", "build_internimage"]
