from __future__ import annotations

import numpy as np
import pytest
import torch

from bev.errors import InputError
from bev.inference.frames import FrameBuilder, as_bgr


def test_pixels_of_other_types_are_rounded() -> None:
    image = torch.tensor([254.6, 10.2, 0.0])[:, None, None].expand(3, 2, 4)
    assert as_bgr(image, "rgb", "front")[0, 0].tolist() == [0, 10, 255]


@pytest.mark.parametrize("value", [-1.0, 256.0, np.nan])
def test_values_that_are_no_pixels_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"camera front has values outside 0\.\.255 \(float64\)"):
        as_bgr(np.full((2, 2, 3), value), "bgr", "front")


@pytest.mark.parametrize("lacking", ["intrinsics", "cam_T_ego"])
def test_an_image_of_a_camera_that_nobody_describes_is_refused(lacking: str) -> None:
    tables = {"intrinsics": {"front": np.eye(3)}, "cam_T_ego": {"front": np.eye(4)}}
    tables[lacking] = {}
    with pytest.raises(InputError, match=f"camera front has an image but no entry in {lacking}"):
        FrameBuilder([])({"front": np.zeros((4, 6, 3), np.uint8)}, *tables.values(), np.eye(4), np.zeros(18))
