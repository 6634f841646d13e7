"""Loading and augmentation of clips of multi-camera images, as mmengine TRANSFORMS (see `bev.structures.clip`)."""

from bev.transforms.bev import BoxRangeFilter, RandomBEVTransform
from bev.transforms.grid_mask import GridMask
from bev.transforms.loading import LoadMultiCameraImages
from bev.transforms.mirror import MirrorScene
from bev.transforms.normalize import NormalizeImages, PadImages
from bev.transforms.occupancy import LoadOccupancy
from bev.transforms.pack import PackClip
from bev.transforms.photometric import PhotometricDistortion
from bev.transforms.resize import ResizeCropFlipImages
from bev.transforms.undistort import UndistortImages

__all__ = [
    "BoxRangeFilter",
    "GridMask",
    "LoadMultiCameraImages",
    "LoadOccupancy",
    "MirrorScene",
    "NormalizeImages",
    "PackClip",
    "PadImages",
    "PhotometricDistortion",
    "RandomBEVTransform",
    "ResizeCropFlipImages",
    "UndistortImages",
]
