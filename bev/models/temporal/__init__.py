"""What combines the BEV maps of several moments."""

from bev.models.temporal.fusion import TemporalFusion
from bev.models.temporal.recurrent import RecurrentBEV
from bev.models.temporal.resampling import resample_bev

__all__ = ["RecurrentBEV", "TemporalFusion", "resample_bev"]
