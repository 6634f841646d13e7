from __future__ import annotations

import numpy as np

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
