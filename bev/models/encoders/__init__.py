"""Encoders: of BEV maps from cameras, and of the pyramid of one image."""

from bev.models.encoders.bevformer import BEVFormerEncoder
from bev.models.encoders.pyramid import PyramidEncoder

__all__ = ["BEVFormerEncoder", "PyramidEncoder"]
