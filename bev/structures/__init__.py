"""What travels between the stages of the framework: clips of camera images, image features, BEV features."""

from bev.structures.camera_clip import CameraClip, stack_clips
from bev.structures.features import BEVFeatures, ImageFeatures

__all__ = ["BEVFeatures", "CameraClip", "ImageFeatures", "stack_clips"]
