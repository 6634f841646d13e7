"""Assignment of targets to predictions."""

from bev.models.assigners.hungarian import HungarianAssigner

__all__ = ["HungarianAssigner"]
