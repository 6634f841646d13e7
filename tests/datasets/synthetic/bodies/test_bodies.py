from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.synthetic.actors import KINDS


@pytest.mark.parametrize("name", KINDS)
def test_bodies_fill_their_boxes_and_stay_inside(name: str) -> None:
    kind = KINDS[name]
    rng = np.random.default_rng(5)
    for _ in range(40):
        size = kind.draw_size(rng)
        low, high = np.array([-size[0] / 2, -size[1] / 2, 0.0]), np.array([size[0] / 2, size[1] / 2, size[2]])
        points = np.concatenate([body.outline().reshape(-1, 3) for body in kind.draw_body(rng, size, owner=0)])
        assert (points >= low - 1e-9).all(), f"{name} of size {size} sticks out below: {points.min(axis=0)}"
        assert (points <= high + 1e-9).all(), f"{name} of size {size} sticks out above: {points.max(axis=0)}"
        filled = (points.max(axis=0) - points.min(axis=0)) / np.array(size)
        assert (filled > [0.4, 0.5, 0.85]).all(), f"{name} fills only {filled} of its box"


def test_bounding_corners_hold_the_outline() -> None:
    rng = np.random.default_rng(6)
    for kind in KINDS.values():
        for body in kind.draw_body(rng, kind.draw_size(rng), owner=0):
            axes = np.swapaxes(body.axes, 1, 2)
            corners, outline = (
                np.einsum("pij,pkj->pki", axes, points - body.centre[:, None])
                for points in (body.bounding_corners(), body.outline())
            )
            assert (outline.max(axis=1) <= corners.max(axis=1) + 1e-9).all()
            assert (outline.min(axis=1) >= corners.min(axis=1) - 1e-9).all()


def test_sizes_are_close_to_those_of_the_real_data() -> None:
    rng = np.random.default_rng(0)
    real = {
        "sedan": (4.63, 1.95, 1.74),
        "bus": (11.2, 2.95, 3.49),
        "walker": (0.73, 0.67, 1.77),
        "cone": (0.41, 0.41, 1.07),
    }
    for name, size in real.items():
        drawn = np.mean([KINDS[name].draw_size(rng) for _ in range(200)], axis=0)
        assert np.allclose(drawn, size, rtol=0.16)
