"""Pictures of predictions: boxes on the cameras, bird's-eye view, occupancy, video, training curves."""

from bev.visualization.bev_view import draw_bev
from bev.visualization.boxes import BoxSet, box_corners, draw_boxes_on_image
from bev.visualization.curves import draw_training_curves
from bev.visualization.frame import draw_frame
from bev.visualization.occupancy_frame import draw_occupancy
from bev.visualization.overview import overview_projection
from bev.visualization.video import write_mp4
from bev.visualization.voxels import render_voxels

__all__ = [
    "BoxSet",
    "box_corners",
    "draw_bev",
    "draw_boxes_on_image",
    "draw_frame",
    "draw_occupancy",
    "draw_training_curves",
    "overview_projection",
    "render_voxels",
    "write_mp4",
]
