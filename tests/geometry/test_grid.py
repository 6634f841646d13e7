from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bev.geometry import BEVGrid

# Wider than high, and not centred: a mix-up of axes cannot hide.
GRID = BEVGrid((-10.0, 4.0, -5.0, 50.0, 24.0, 3.0), (40, 60))
metres = st.tuples(st.floats(-80, 80), st.floats(-80, 80), st.floats(-8, 8))


@given(metres)
def test_metres_come_back_from_cells_and_fractions(point: tuple[float, float, float]):
    xyz = np.array(point)
    np.testing.assert_allclose(GRID.to_metres(GRID.to_cells(xyz[:2])), xyz[:2], atol=1e-9)
    np.testing.assert_allclose(GRID.denormalise(GRID.normalise(xyz)), xyz, atol=1e-9)


@given(metres)
def test_contains_agrees_with_cells(point: tuple[float, float, float]):
    column, row = GRID.to_cells(np.array(point[:2]))
    assert GRID.contains(np.array(point[:2])) == (0 <= column < 60 and 0 <= row < 40)
    assert GRID.contains(np.array(point)) == (GRID.contains(np.array(point[:2])) and -5 <= point[2] < 3)


def test_cells_lie_as_documented():
    assert GRID.cell_size == (1.0, 0.5)
    assert GRID.extent == (60.0, 20.0, 8.0)
    np.testing.assert_allclose(GRID.to_cells(np.array([-10.0, 4.0])), [0, 0])
    np.testing.assert_allclose(GRID.to_cells(np.array([-9.0, 4.0])), [1, 0])
    np.testing.assert_allclose(GRID.to_cells(np.array([-10.0, 4.5])), [0, 1])


def test_cell_centres_are_the_middles_of_their_cells():
    centres = GRID.cell_centres()
    assert centres.shape == (40, 60, 2)
    cells = GRID.to_cells(centres)
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    torch.testing.assert_close(cells, torch.stack([columns, rows], dim=-1) + 0.5)


def test_pillar_points_follow_the_published_heights():
    points = GRID.pillar_points(4)
    assert points.shape == (4, 40 * 60, 3)
    torch.testing.assert_close(points[:, 0, 2], -5 + torch.tensor([0.5, 0.5 + 7 / 3, 0.5 + 14 / 3, 7.5]))
    torch.testing.assert_close(points[2, :, :2], GRID.cell_centres().reshape(-1, 2))
    # Query index is row * width + column.
    torch.testing.assert_close(points[0, 3 * 60 + 7, :2], GRID.cell_centres()[3, 7])


def test_integers_are_metres_too():
    torch.testing.assert_close(GRID.to_cells(torch.tensor([-9, 5])), torch.tensor([1.0, 2.0]))
    np.testing.assert_allclose(GRID.to_cells(np.array([-9, 5])), [1.0, 2.0])


@pytest.mark.parametrize(
    ("bounds", "shape"),
    [((0, 0, 0, 1, 1), (2, 2)), ((0, 0, 0, 1, 0, 1), (2, 2)), ((0, 0, 0, 1, 1, 1), (0, 2)), ((0,) * 6, (2, 2))],
)
def test_refuses_impossible_grids(bounds: tuple, shape: tuple):
    with pytest.raises(ValueError, match="BEVGrid"):
        BEVGrid(bounds, shape)
