from __future__ import annotations

import numpy as np
import pytest
import torch

import bev  # noqa: F401  (lets mmdet3d import)
from bev.structures.boxes import boxes_of_gravity, gravity_array, gravity_boxes


@pytest.mark.parametrize("size", [7, 9])
def test_there_and_back(size: int) -> None:
    gravity = torch.rand(5, size) + 0.5
    boxes = boxes_of_gravity(gravity)
    torch.testing.assert_close(boxes.bottom_center[:, 2], gravity[:, 2] - gravity[:, 5] / 2)
    torch.testing.assert_close(gravity_boxes(boxes), gravity)
    assert gravity_array(boxes).dtype == np.float64
    np.testing.assert_allclose(gravity_array(boxes_of_gravity(gravity.double().numpy())), gravity, rtol=1e-6)


def test_nothing() -> None:
    assert gravity_array(boxes_of_gravity(np.zeros((0, 9)))).shape == (0, 9)
