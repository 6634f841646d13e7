"""Task heads. A head has three verbs: `forward(features)`, `loss(outputs, samples)` and `predict(outputs, samples)`."""

from bev.models.heads.bev_detection_head import BEVDetectionHead, DetectionOutputs
from bev.models.heads.lanes import LaneTopologyHead, LaneTopologyOutputs
from bev.models.heads.occupancy import OccupancyHead, OccupancyOutputs
from bev.models.heads.perspective import (
    DD3DHead,
    DD3DOutputs,
    ImageLaneHead,
    ImageLaneOutputs,
    ImagePlaneHead,
    ImagePlaneOutputs,
)

__all__ = [
    "BEVDetectionHead",
    "DD3DHead",
    "DD3DOutputs",
    "DetectionOutputs",
    "ImageLaneHead",
    "ImageLaneOutputs",
    "ImagePlaneHead",
    "ImagePlaneOutputs",
    "LaneTopologyHead",
    "LaneTopologyOutputs",
    "OccupancyHead",
    "OccupancyOutputs",
]
