"""What travels between the stages of the framework: clips of camera images, image features, BEV features."""

from bev.structures.camera_clip import CameraClip, stack_clips
from bev.structures.features import BEVFeatures, ClipFeatures, ImageFeatures, Proposals
from bev.structures.memory import BEVMemory, PreviousBEV

__all__ = [
    "BEVFeatures",
    "BEVMemory",
    "CameraClip",
    "ClipFeatures",
    "ImageFeatures",
    "PreviousBEV",
    "Proposals",
    "stack_clips",
]
