"""BEVFormer v1's use of time: the previous frame's BEV enters temporal self-attention (arXiv 2203.17270, section 3.4).

Shapes: B batch, C channels, H, W rows and columns of the BEV grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.can_bus import motion_of_can_bus, motion_of_poses, relative_can_bus
from bev.geometry.grid import BEVGrid
from bev.models.temporal.resampling import read_map
from bev.structures import BEVMemory, CameraClip, PreviousBEV


@MODELS.register_module()
class RecurrentBEV(nn.Module):
    """Brings the remembered map into the present: turns it, and says how far it has to be shifted.

    The map is turned about a point of the grid by resampling; the shift is left to the reference points of the
    attention, which reads between cells anyway.

    Args:
        grid: The BEV grid, or its constructor's arguments.
        motion: "pose" takes the motion of the bev frame from the clip's poses; "can_bus" takes that of the vehicle from
            the CAN bus values, as the published models do (nuScenes' LiDAR frame only).
        rotation_centre: Column and row, in cells, about which the map is turned; None for the origin of the bev frame,
            which is right. The published models of fewer than 200 cells were trained with (100, 100).
        interpolation: "nearest", as in the published models, or "bilinear".
        shift_current: Read the current map at the shifted place, too: what the code of the CVPR 2023 occupancy
            baselines did by mistake, and their weights were trained with.

    Raises:
        InputError: If an option is unknown.
    """

    recurrent = True

    def __init__(
        self,
        grid: BEVGrid | Mapping[str, Any],
        motion: str = "pose",
        rotation_centre: Sequence[float] | None = None,
        interpolation: str = "nearest",
        shift_current: bool = False,
    ) -> None:
        super().__init__()
        if motion not in ("pose", "can_bus"):
            raise InputError(f"motion is 'pose' or 'can_bus', not {motion!r}")
        if interpolation not in ("nearest", "bilinear"):
            raise InputError(f"interpolation is 'nearest' or 'bilinear', not {interpolation!r}")
        self.grid = grid if isinstance(grid, BEVGrid) else BEVGrid(**grid)
        self.motion, self.interpolation, self.shift_current = motion, interpolation, shift_current
        centre = self.grid.to_cells(np.zeros(2)) if rotation_centre is None else rotation_centre
        self.centre = tuple(float(value) for value in centre)

    def forward(self, memory: BEVMemory, frame: CameraClip) -> PreviousBEV:
        """What the encoder reads of the memory.

        Args:
            memory: Of the frame before.
            frame: The clip of the present frame alone.

        Raises:
            InputError: If the clip lacks what the motion is taken from.
        """
        turn, travelled = self._motion(memory, frame)
        extent = travelled.new_tensor(self.grid.extent[:2])
        turned = self.turn(memory.map, torch.where(memory.valid, turn, 0.0))
        shift = torch.where(memory.valid[:, None], travelled / extent, 0.0)
        return PreviousBEV(turned, shift, memory.valid, self.shift_current)

    def turn(self, bev_map: Tensor, angle: Tensor) -> Tensor:
        """What a map (B, C, H, W) shows in the axes of a vehicle that has turned left by `angle` (B,), radians.

        What comes from outside the map is zero.
        """
        grid = self.grid
        centre = torch.tensor(self.centre, dtype=torch.float64, device=bev_map.device)
        size = centre.new_tensor([grid.width, grid.height])
        cell = centre.new_tensor(grid.cell_size)
        offsets = (grid.to_cells(grid.cell_centres(bev_map.device).double()) - centre) * cell
        sine, cosine = angle.double().sin(), angle.double().cos()
        rotation = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
        sources = torch.einsum("bij,hwj->bhwi", rotation, offsets) / cell + centre
        return read_map(bev_map, sources / size * 2 - 1, mode=self.interpolation)

    @staticmethod
    def can_bus(memory: BEVMemory | None, frame: CameraClip) -> Tensor | None:
        """The vehicle's state (B, 18) relative to the memory's; None where the clip has none."""
        if frame.can_bus is None:
            return None
        previous = None if memory is None else memory.can_bus
        return relative_can_bus(frame.can_bus[:, 0], previous, None if memory is None else memory.valid)

    def _motion(self, memory: BEVMemory, frame: CameraClip) -> tuple[Tensor, Tensor]:
        """Turn (B,), radians, and way (B, 2), metres, since the memory was written."""
        if self.motion == "can_bus":
            relative = self.can_bus(memory, frame)
            if relative is None:
                raise InputError("RecurrentBEV(motion='can_bus') needs clips with CAN bus values (CameraClip.can_bus)")
            return motion_of_can_bus(relative)
        if frame.global_T_bev is None or memory.global_T_bev is None:
            raise InputError("RecurrentBEV(motion='pose') needs clips that know where they were (global_T_bev)")
        return motion_of_poses(frame.global_T_bev[:, 0], memory.global_T_bev)
