"""Image detectors that mmdet lacks."""

from bev.models.detectors.composite_dino import CompositeDINO

__all__ = ["CompositeDINO"]
