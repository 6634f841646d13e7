"""Task heads. A head has three verbs: `forward(features)`, `loss(outputs, samples)` and `predict(outputs, samples)`."""

from bev.models.heads.bev_detection_head import BEVDetectionHead, DetectionOutputs
from bev.models.heads.perspective.image_plane_head import ImagePlaneHead, ImagePlaneOutputs

__all__ = ["BEVDetectionHead", "DetectionOutputs", "ImagePlaneHead", "ImagePlaneOutputs"]
