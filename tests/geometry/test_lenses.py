from __future__ import annotations

import cv2
import numpy as np
import pytest

from bev.geometry import Lens


def test_distortion_by_hand() -> None:
    # One of Waymo's lenses, for an image of 320 x 180 pixels.
    lens = Lens((340.0, 342.0), (158.0, 95.0), (0.04, -0.33, 0.001, -0.0016, 0.0))
    x, y = 0.3, -0.2
    k1, k2, p1, p2, k3 = lens.distortion
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    seen = [
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    ]
    pixel = np.array([[x, y]]) * lens.focal + lens.centre
    np.testing.assert_allclose(lens.distort(pixel)[0], np.array(seen) * lens.focal + lens.centre, atol=1e-9)


def test_a_lens_that_folds_back_shows_nothing_twice() -> None:
    lens = Lens((800.0, 800.0), (960.0, 540.0), (-0.3, 0.0, 0.0, 0.0, 0.0))
    picture = np.zeros((1080, 1920), np.uint8)
    picture[:, 1500:1515] = 255
    shown = cv2.remap(picture, *lens.maps((1080, 1920), 1.0), cv2.INTER_LINEAR)[540] > 0
    assert (np.diff(np.flatnonzero(shown)) == 1).all() and shown.any()
    assert lens._reach() == pytest.approx(1 / np.sqrt(0.9))  # where 1 - 0.9 r^2 = 0
    assert Lens((1.0, 1.0), (0.0, 0.0), (0.1, 0.0, 0.0, 0.0, 0.0))._reach() == np.inf
    assert Lens((1.0, 1.0), (0.0, 0.0), (0.0,) * 5)._reach() == np.inf
