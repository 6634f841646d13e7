"""Running a trained model frame by frame."""

from bev.inference.detections import Detections
from bev.inference.streaming import StreamingPerceptor
from bev.inference.tracking import GreedyTracker

__all__ = ["Detections", "GreedyTracker", "StreamingPerceptor"]
