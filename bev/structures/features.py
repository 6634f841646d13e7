"""Features that backbones and BEV encoders hand to heads.

Shapes: B batch, T frames, N cameras, C channels; H, W rows (along y) and columns (along x) of the BEV grid;
h_i, w_i height and width of image feature level i.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bev.geometry import BEVGrid
from bev.structures.camera_clip import CameraClip
from bev.structures.memory import BEVMemory


@dataclass(eq=False)
class Proposals:
    """Objects that a first stage suggests to the detection head, best first, without gradient.

    Attributes:
        codes: (B, M, 10) box codes in the frame of the BEV features, metres (see `bev.geometry.boxes.encode_boxes`).
        scores: (B, M) in [0, 1].
        labels: (B, M) int64.
        valid: (B, M) bool, False for slots without a proposal, which come last.
    """

    codes: Tensor
    scores: Tensor
    labels: Tensor
    valid: Tensor

    def select(self, count: int) -> Proposals:
        """The first ones of each sample."""
        return Proposals(*(value[:, :count] for value in vars(self).values()))


@dataclass(eq=False)
class BEVFeatures:
    """A feature map of the ground plane around the current sample.

    Attributes:
        map: (B, C, H, W); row 0 at y_min, column 0 at x_min of `grid`, in the (augmented) bev frame.
        grid: Bounds in metres and shape (H, W) of the map.
        proposals: What a first stage suggests; None without one.
    """

    map: Tensor
    grid: BEVGrid
    proposals: Proposals | None = None

    @property
    def batch_size(self) -> int:
        """B."""
        return len(self.map)


@dataclass(eq=False)
class ImageFeatures:
    """Feature pyramids of all cameras of the current frame, which is the clip's only one: T is 1.

    Attributes:
        levels: One (B, T, N, C, h_i, w_i) tensor per level, finest first; zeros where `clip.camera_mask` is False.
        clip: The images' sizes, projections and masks.
    """

    levels: tuple[Tensor, ...]
    clip: CameraClip


@dataclass(eq=False)
class ClipFeatures:
    """What the heads look at, and what the next frame may need.

    Attributes:
        bev: The clip's BEV features, in the augmented bev frame.
        images: Image features of the current frame.
        memory: What a recurrent model remembers; None for others.
    """

    bev: BEVFeatures
    images: ImageFeatures
    memory: BEVMemory | None = None
