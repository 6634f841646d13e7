from __future__ import annotations

import itertools

import numpy as np
import pytest

from bev.geometry.cameras import project
from bev.visualization import overview_projection

BOUNDS = (-40.0, -40.0, -1.0, 40.0, 40.0, 5.4)


@pytest.mark.parametrize("size", [(540, 960), (640, 640), (900, 300)])
@pytest.mark.parametrize("pitch", [0.4, 0.8, 1.5])
def test_the_whole_box_is_in_view_and_fills_it_in_one_direction(size: tuple[int, int], pitch: float) -> None:
    corners = np.array(list(itertools.product(*zip(BOUNDS[:3], BOUNDS[3:], strict=True))))
    pixels, depth = project(overview_projection(BOUNDS, size, pitch, margin=0.05), corners)
    shares = pixels / size[::-1]
    assert (depth > 0).all()
    assert shares.min() >= 0.05 - 1e-9
    assert shares.max() <= 0.95 + 1e-9
    assert np.ptp(shares, axis=0).max() == pytest.approx(0.9)
    # In both directions it is in the middle.
    np.testing.assert_allclose(shares.min(axis=0) + shares.max(axis=0), 1.0, atol=1e-9)


def test_ahead_is_above_left_is_left_and_heights_show() -> None:
    projection = overview_projection(BOUNDS, (640, 640))
    points = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 3]])
    (centre, ahead, left, high), _ = project(projection, points)
    assert ahead[1] < centre[1] - 20
    assert left[0] < centre[0] - 20
    assert high[1] < centre[1] - 8
    assert ahead[0] == pytest.approx(centre[0]) == pytest.approx(320)
