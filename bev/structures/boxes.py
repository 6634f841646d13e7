"""Between mmdet3d's boxes, which keep their bottom centre, and gravity boxes (see `bev.geometry.boxes`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from mmdet3d.structures import BaseInstance3DBoxes, LiDARInstance3DBoxes


def gravity_boxes(boxes: BaseInstance3DBoxes) -> Tensor:
    """Gravity boxes (M, 7), or (M, 9) with velocity, of the type and on the device of `boxes`."""
    return torch.cat([boxes.gravity_center, boxes.tensor[:, 3:]], dim=1)


def gravity_array(boxes: BaseInstance3DBoxes) -> np.ndarray:
    """The same as float64 numbers."""
    return gravity_boxes(boxes).detach().cpu().double().numpy()


def boxes_of_gravity(gravity: Tensor | np.ndarray) -> LiDARInstance3DBoxes:
    """mmdet3d's boxes, float32, of gravity boxes (M, 7 or 9)."""
    from mmdet3d.structures import LiDARInstance3DBoxes  # takes seconds, and readers of submissions don't need it

    return LiDARInstance3DBoxes(torch.as_tensor(gravity).float(), box_dim=gravity.shape[-1], origin=(0.5, 0.5, 0.5))
