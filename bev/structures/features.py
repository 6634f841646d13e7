"""Features that backbones and BEV encoders hand to heads.

Shapes: B batch, T frames, N cameras, C channels; H, W rows (along y) and columns (along x) of the BEV grid;
h_i, w_i height and width of image feature level i.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bev.geometry import BEVGrid
from bev.structures.camera_clip import CameraClip


@dataclass(eq=False)
class BEVFeatures:
    """A feature map of the ground plane around the current sample.

    Attributes:
        map: (B, C, H, W); row 0 at y_min, column 0 at x_min of `grid`, in the (augmented) bev frame.
        grid: Bounds in metres and shape (H, W) of the map.
    """

    map: Tensor
    grid: BEVGrid


@dataclass(eq=False)
class ImageFeatures:
    """Feature pyramids of all cameras and frames of a clip.

    Attributes:
        levels: One (B, T, N, C, h_i, w_i) tensor per level, finest first; zeros where `clip.camera_mask` is False.
        clip: The images' sizes, projections and masks.
    """

    levels: tuple[Tensor, ...]
    clip: CameraClip
