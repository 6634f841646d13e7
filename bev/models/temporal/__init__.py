"""What combines the BEV maps of several moments."""

from bev.models.temporal.fusion import TemporalFusion
from bev.models.temporal.resampling import resample_bev

__all__ = ["TemporalFusion", "resample_bev"]
