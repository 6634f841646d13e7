"""Semantic occupancy."""

from bev.models.heads.occupancy.decoders import ChannelToHeight, CoarseToFine, VolumeDecoder
from bev.models.heads.occupancy.head import OccupancyHead, OccupancyOutputs

__all__ = ["ChannelToHeight", "CoarseToFine", "OccupancyHead", "OccupancyOutputs", "VolumeDecoder"]
