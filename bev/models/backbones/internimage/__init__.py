"""InternImage: a convolutional backbone built on deformable convolutions v3 (https://arxiv.org/abs/2211.05778)."""

from bev.models.backbones.internimage.build import build_internimage
from bev.models.backbones.internimage.composite import CompositeInternImage
from bev.models.backbones.internimage.model import InternImage
from bev.models.backbones.internimage.variants import VARIANTS, Architecture, architecture

__all__ = ["VARIANTS", "Architecture", "CompositeInternImage", "InternImage", "architecture", "build_internimage"]
