"""Pictures of predictions: boxes on the cameras, bird's-eye view, video, training curves."""

from bev.visualization.bev_view import draw_bev
from bev.visualization.boxes import BoxSet, box_corners, draw_boxes_on_image
from bev.visualization.curves import draw_training_curves
from bev.visualization.frame import draw_frame
from bev.visualization.video import write_mp4

__all__ = [
    "BoxSet",
    "box_corners",
    "draw_bev",
    "draw_boxes_on_image",
    "draw_frame",
    "draw_training_curves",
    "write_mp4",
]
