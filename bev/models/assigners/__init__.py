"""Assignment of targets to predictions."""

from bev.models.assigners.hungarian import HungarianAssigner
from bev.models.assigners.matching import QueryTargets, SetTarget, match_queries

__all__ = ["HungarianAssigner", "QueryTargets", "SetTarget", "match_queries"]
