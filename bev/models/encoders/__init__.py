"""BEV encoders."""

from bev.models.encoders.bevformer import BEVFormerEncoder

__all__ = ["BEVFormerEncoder"]
