"""Rendered voxels: pixels and colours computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.occ3d import CLASSES, COLOURS, FREE, GRID, UNKNOWN
from bev.geometry.cameras import pix_T_cam
from bev.visualization import render_voxels
from bev.visualization.voxels import EDGE_SHADE, FACE_SHADES

CAR, BUS, ROAD = (CLASSES.index(name) for name in ("car", "bus", "driveable_surface"))
SIZE = (200, 300)
SKY = (1, 2, 3)
INTRINSIC = np.array([[500.0, 0, 150], [0, 500, 100], [0, 0, 1]])
# At (0, 0, 1.4) in the ego frame, along x: u = 150 - 500 y / x, v = 100 - 500 (z - 1.4) / x.
AHEAD = pix_T_cam(INTRINSIC) @ np.array([[0, -1.0, 0, 0], [0, 0, -1, 1.4], [1, 0, 0, 0], [0, 0, 0, 1]])
# At (10.2, 0.2, 11.8), straight down: u = 150 - 500 (y - 0.2) / (11.8 - z).
DOWN = pix_T_cam(INTRINSIC) @ np.array([[0, -1.0, 0, 0.2], [-1, 0, 0, 10.2], [0, 0, -1, 11.8], [0, 0, 0, 1]])
# The voxel that spans 10.0 .. 10.4 along x, 0 .. 0.4 along y, and 1.4 .. 1.8 along z.
PLACE = (125, 100, 6)


def voxels(*labelled: tuple[tuple, int]) -> np.ndarray:
    grid = np.full(GRID.shape, FREE, np.uint8)
    for place, label in labelled:
        grid[place] = label
    return grid


def draw(grid: np.ndarray, projection: np.ndarray = AHEAD, **options) -> np.ndarray:
    return render_voxels(grid, projection, SIZE, background=SKY, **options)


def shaded(label: int, face: int) -> np.ndarray:
    return (FACE_SHADES[face] * np.array(COLOURS[label]) + 0.5).astype(np.uint8)


def test_one_voxel_covers_the_pixels_that_its_face_projects_to() -> None:
    """Its near face is at x = 10 m: u from 150 - 500 * 0.4 / 10 = 130 to 150, v from 80 to 100; no other face shows."""
    picture = draw(voxels((PLACE, CAR)))
    covered = (picture != SKY).any(axis=2)
    expected = np.zeros(SIZE, dtype=bool)
    expected[80:100, 130:150] = True
    np.testing.assert_array_equal(covered, expected)
    np.testing.assert_array_equal(picture[90, 140], shaded(CAR, 0))


def test_edges_are_darker_than_the_face() -> None:
    picture = draw(voxels((PLACE, CAR))).astype(float)
    middle = picture[90, 140, 2]
    for row, column in ((80, 140), (99, 140), (90, 130), (90, 149)):
        assert EDGE_SHADE - 0.01 <= picture[row, column, 2] / middle < 0.9
    assert (picture[84:96, 134:146, 2] == middle).all()


def test_the_nearer_voxel_hides_the_farther() -> None:
    """A bus 2 m behind the car, 0.8 m wide at x = 12: u from 150 - 500 * 0.8 / 12 = 117 to 150."""
    picture = draw(voxels(((130, slice(100, 102), 6), BUS), (PLACE, CAR)))
    np.testing.assert_array_equal(picture[90, 140], shaded(CAR, 0))
    np.testing.assert_array_equal(picture[90, 125], shaded(BUS, 0))


def test_faces_are_shaded_by_their_direction() -> None:
    assert len(set(FACE_SHADES.tolist())) == 6
    np.testing.assert_array_equal(draw(voxels((PLACE, CAR)), DOWN)[100, 150], shaded(CAR, 5))
    # One voxel to the right of the camera's axis shows the face at its high end along y, one to the left the low end.
    for y, face, column in ((97, 3, slice(150, 210)), (103, 2, slice(80, 150))):
        colours = draw(voxels(((slice(125, 130), y, 6), CAR)))[90, column]
        assert (colours == shaded(CAR, face)).all(axis=1).any()
        assert not (colours == shaded(CAR, 5 - face)).all(axis=1).any()


def test_free_and_unknown_space_is_looked_through() -> None:
    grid = voxels((PLACE, CAR), (slice(100, 110), UNKNOWN))
    np.testing.assert_array_equal(draw(grid), draw(voxels((PLACE, CAR))))
    assert (draw(voxels((slice(None), UNKNOWN))) == SKY).all()


def test_labels_without_a_colour_are_looked_through() -> None:
    grid = voxels((PLACE, CAR), ((115, 100, 6), BUS))
    only = {CAR: COLOURS[CAR]}
    np.testing.assert_array_equal(draw(grid, colours=only), draw(voxels((PLACE, CAR)), colours=only))


def test_the_ground_is_darker_where_something_stands_on_it() -> None:
    """The camera is 10.2 m - 0.4 m / 2 above road at z 1.4 .. 1.8, where a voxel takes 500 * 0.4 / 10 = 20 pixels."""
    road = ((slice(120, 131), slice(95, 106), 6), ROAD)
    flat = draw(voxels(road), DOWN).astype(float)
    stood_on = draw(voxels(road, ((125, 98, 7), CAR)), DOWN).astype(float)
    ratio = stood_on[100, :, 0] / flat[100, :, 0]
    # The car's foot spans y from -0.8 to -0.4: u from 150 + 500 * 0.6 / 10 = 180 on.
    assert ratio[178] < 0.8
    assert ratio[178] < ratio[174] < 1
    assert ratio[150:169] == pytest.approx(1.0)


def test_threads_do_not_change_the_picture() -> None:
    grid = np.random.default_rng(0).integers(0, 18, GRID.shape, dtype=np.uint8)
    grid[98:110, 95:105] = FREE
    np.testing.assert_array_equal(draw(grid, threads=1), draw(grid, threads=5))


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2, 2\), expected \(200, 200, 16\)"):
        draw(np.zeros((2, 2, 2), np.uint8))
