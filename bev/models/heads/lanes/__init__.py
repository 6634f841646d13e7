"""Lane topology."""

from bev.models.heads.lanes.centrelines import CentrelineDetector, CentrelineOutputs
from bev.models.heads.lanes.graph import LaneGraphLayer
from bev.models.heads.lanes.head import LaneTopologyHead, LaneTopologyOutputs
from bev.models.heads.lanes.relations import PairRelation
from bev.models.heads.lanes.traffic_elements import TrafficElementDetector, TrafficElementOutputs

__all__ = [
    "CentrelineDetector",
    "CentrelineOutputs",
    "LaneGraphLayer",
    "LaneTopologyHead",
    "LaneTopologyOutputs",
    "PairRelation",
    "TrafficElementDetector",
    "TrafficElementOutputs",
]
