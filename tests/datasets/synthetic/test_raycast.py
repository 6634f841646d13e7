"""Intersections are checked against inside-outside tests along the ray."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest

from bev.datasets.synthetic.bodies.common import pitched
from bev.datasets.synthetic.parts import CONE, ELLIPSOID, FRUSTUM, Part, Parts
from bev.datasets.synthetic.raycast import BACK, BOTTOM, FRONT, LEFT, NOTHING, RIGHT, TOP, Solids, cast
from bev.geometry.compiled import jit

STEP = 1e-3

SHAPES = {
    "box": Part((0.3, -0.2, 5.0), (1.0, 0.7, 0.5), FRUSTUM),
    "leaning": Part((0, 0, 6.0), (1.2, 0.8, 0.6), FRUSTUM, taper=(0.5, 0.2, 0.3), axes=pitched(0.7)),
    "widening": Part((0, 0, 6.0), (0.8, 0.8, 0.6), FRUSTUM, taper=(-0.3, -0.2, -0.1), axes=pitched(-0.4)),
    "ellipsoid": Part((0.1, 0.1, 5.0), (1.3, 0.6, 0.9), ELLIPSOID, axes=pitched(0.3)),
    "cylinder": Part((0, 0, 5.0), (0.7, 0.5, 1.0), CONE, taper=(1, 0, 0), axes=pitched(1.2)),
    "cone": Part((0, 0, 5.0), (1.0, 1.0, 1.0), CONE, taper=(0.2, 0, 0), axes=pitched(2.0)),
}


def inside(part: Part, points: np.ndarray) -> np.ndarray:
    """Whether points (..., 3) lie in a part, from the definition of its shape."""
    axes = np.eye(3) if part.axes is None else part.axes
    x, y, z = np.moveaxis((points - np.array(part.centre)) @ axes, -1, 0)
    hx, hy, hz = part.half
    rise = z + hz
    if part.kind == ELLIPSOID:
        return (x / hx) ** 2 + (y / hy) ** 2 + (z / hz) ** 2 <= 1
    if part.kind == CONE:
        radius = 1 - (1 - part.taper[0]) * rise / (2 * hz)
        return ((x / hx) ** 2 + (y / hy) ** 2 <= radius**2) & (np.abs(z) <= hz)
    front, back, side = part.taper
    return (x <= hx - front * rise) & (-x <= hx - back * rise) & (np.abs(y) <= hy - side * rise) & (np.abs(z) <= hz)


def rays(count: int) -> np.ndarray:
    """Directions (count, count, 3) float32 around the z axis, with z = 1."""
    x, y = np.meshgrid(np.linspace(-0.4, 0.4, count), np.linspace(-0.4, 0.4, count))
    return np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32)


def shoot(parts: Parts, directions: np.ndarray, base_depth: float = np.inf, owners: int = 1):
    height, width = directions.shape[:2]
    rectangles = np.array([[p, 0, height, 0, width] for p in range(len(parts))], dtype=np.int32)
    base = np.full((height, width), base_depth, dtype=np.float32)
    solids = Solids.seen_from(parts, np.eye(4))
    return cast(directions, solids, rectangles, np.zeros(len(parts), np.float32), base, owners)


@pytest.mark.parametrize("name", SHAPES)
def test_first_hit_is_where_the_ray_enters(name: str) -> None:
    part = SHAPES[name]
    directions = rays(23)
    hits = shoot(Parts.build([part], owner=0), directions)
    t = np.arange(2.0, 9.0, STEP)
    within = inside(part, directions[:, :, None].astype(np.float64) * t[:, None])
    expected = np.where(within.any(axis=-1), t[within.argmax(axis=-1)], np.inf)
    grazing = within.any(axis=-1) & (within.sum(axis=-1) < 30)  # the samples may miss thin crossings
    agrees = np.isclose(hits.depth, expected, atol=2 * STEP) | grazing | (np.isinf(expected) & np.isinf(hits.depth))
    seen = np.isfinite(hits.depth) & np.isfinite(expected)
    assert seen.sum() > 20
    assert np.isinf(expected).sum() > 20
    assert np.count_nonzero(~agrees) <= 1  # an edge may fall between two samples


@pytest.mark.parametrize(
    ("direction", "face"),
    [
        ((1, 0, 0), BACK),
        ((-1, 0, 0), FRONT),
        ((0, 1, 0), RIGHT),
        ((0, -1, 0), LEFT),
        ((0, 0, 1), BOTTOM),
        ((0, 0, -1), TOP),
    ],
)
def test_face_of_a_box(direction: tuple[int, int, int], face: int) -> None:
    centre = tuple(3.0 * c for c in direction)
    hits = shoot(Parts.build([Part(centre, (0.5, 0.5, 0.5))], owner=0), np.array([[direction]], dtype=np.float32))
    assert hits.face[0, 0] == face
    assert hits.depth[0, 0] == pytest.approx(2.5)


def test_nearest_part_wins_and_hidden_objects_are_counted() -> None:
    near = Parts.build([Part((0, 0, 4.0), (0.5, 0.5, 0.5))], owner=0)
    far = Parts.build([Part((0, 0, 8.0), (0.9, 0.9, 0.5)), Part((0, 0, 8.2), (0.9, 0.9, 0.5))], owner=1)
    hits = shoot(Parts.concatenate([far, near]), rays(41), owners=2)
    alone = shoot(replace(far, owner=np.zeros(2, np.int32)), rays(41))
    assert (hits.part[20, 20], hits.depth[20, 20]) == (2, pytest.approx(3.5))
    assert hits.covered[1] == alone.covered[0] == np.count_nonzero(alone.part != NOTHING)
    assert np.count_nonzero(np.isin(hits.part, [0, 1])) < hits.covered[1]


def test_the_ground_hides_what_is_behind_it() -> None:
    hits = shoot(Parts.build([Part((0, 0, 5.0), (0.5, 0.5, 0.5))], owner=0), rays(5), base_depth=3.0)
    assert (hits.part == NOTHING).all()
    assert hits.covered[0] > 0


def test_a_sensor_inside_a_part_does_not_see_it() -> None:
    hits = shoot(Parts.build([Part((0, 0, 0), (2.0, 2.0, 2.0))], owner=0), rays(5))
    assert (hits.part == NOTHING).all()


def test_compiles_where_nothing_can_be_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    original = numba.njit

    def njit(cache: bool = False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(**options)

    monkeypatch.setattr(numba, "njit", njit)

    def add(a: float, b: float) -> float:
        return a + b

    assert jit(add)(1.0, 2.0) == 3.0
