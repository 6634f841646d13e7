"""What a recurrent model remembers from frame to frame.

Shapes: B batch, C channels, H, W rows and columns of the BEV grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bev.structures.camera_clip import CameraClip


@dataclass(eq=False)
class PreviousBEV:
    """The previous frame's map as the BEV encoder takes it.

    Attributes:
        map: (B, C, H, W), turned into the current frame's axes, but not moved.
        shift: (B, 2) what is to be added to the place (x, y) of a current cell to find it in `map`, in fractions of the
            grid; 0 for samples without a previous frame.
        valid: (B,) bool, False for samples without a previous frame.
        shift_current: Whether the current map is read at the shifted place, too (see `RecurrentBEV`).
    """

    map: Tensor
    shift: Tensor
    valid: Tensor
    shift_current: bool = False


@dataclass(eq=False)
class BEVMemory:
    """One BEV map per sample of a batch, and when and where it was made. A fresh memory is None.

    Attributes:
        map: (B, C, H, W) in the bev frame of the moment it was made, without augmentation.
        valid: (B,) bool, False where nothing has been written yet.
        global_T_bev: (B, 4, 4) float64, that bev frame; None where the clips do not tell.
        can_bus: (B, 18) float64, the vehicle's absolute state then; None where the clips do not tell.
    """

    map: Tensor
    valid: Tensor
    global_T_bev: Tensor | None
    can_bus: Tensor | None

    @classmethod
    def write(cls, old: BEVMemory | None, bev_map: Tensor, frame: CameraClip) -> BEVMemory:
        """The memory after a frame. Samples that lack the frame keep what they had.

        Args:
            old: The memory before; None if fresh.
            bev_map: (B, C, H, W) of the frame.
            frame: The clip of that frame alone.
        """
        present = frame.frame_mask[:, 0]
        state = [None if value is None else value[:, 0] for value in (frame.global_T_bev, frame.can_bus)]
        if old is None:
            return cls(bev_map, present, *state)
        maps = torch.where(present[:, None, None, None], bev_map, old.map)
        pose, can_bus = (
            None if new is None or before is None else _choose(present, new, before)
            for new, before in zip(state, (old.global_T_bev, old.can_bus), strict=True)
        )
        return cls(maps, present | old.valid, pose, can_bus)


def _choose(condition: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Per sample, `new` where the condition (B,) holds."""
    return torch.where(condition.view(-1, *[1] * (new.dim() - 1)), new, old)
