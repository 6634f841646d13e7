"""Heads on image features, which supervise the backbone directly (BEVFormer v2, section 3.2)."""

from bev.models.heads.perspective.dd3d_head import DD3DHead
from bev.models.heads.perspective.dd3d_outputs import DD3DOutputs
from bev.models.heads.perspective.image_lane_head import ImageLaneHead, ImageLaneOutputs
from bev.models.heads.perspective.image_plane_head import ImagePlaneHead, ImagePlaneOutputs

__all__ = [
    "DD3DHead",
    "DD3DOutputs",
    "ImageLaneHead",
    "ImageLaneOutputs",
    "ImagePlaneHead",
    "ImagePlaneOutputs",
]
