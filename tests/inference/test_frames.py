from __future__ import annotations

import numpy as np
import pytest
import torch

from bev.errors import InputError
from bev.inference.frames import as_bgr


def test_pixels_of_other_types_are_rounded() -> None:
    image = torch.tensor([254.6, 10.2, 0.0])[:, None, None].expand(3, 2, 4)
    assert as_bgr(image, "rgb", "front")[0, 0].tolist() == [0, 10, 255]


@pytest.mark.parametrize("value", [-1.0, 256.0, np.nan])
def test_values_that_are_no_pixels_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"camera front has values outside 0\.\.255 \(float64\)"):
        as_bgr(np.full((2, 2, 3), value), "bgr", "front")
