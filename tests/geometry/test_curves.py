from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bev.geometry.curves import CurveCode, bezier_basis, headings_of


def test_a_quadratic_bezier_by_hand() -> None:
    # Of control points (0, 0), (1, 2), (2, 0): the middle is (0 + 2 * 1 + 2) / 4 and (0 + 2 * 2 + 0) / 4.
    control = torch.tensor([0.0, 0, 5, 1, 2, 5, 2, 0, 5])
    points = CurveCode("bezier", num_control=3, num_points=3).decode(control)
    torch.testing.assert_close(points, torch.tensor([[0.0, 0, 5], [1, 1, 5], [2, 0, 5]]))


def test_the_weights_of_control_points_add_up_to_one() -> None:
    basis = bezier_basis(11, 5)
    np.testing.assert_allclose(basis.sum(1), 1)
    np.testing.assert_array_equal(basis[[0, -1]], np.eye(5)[[0, -1]])


@given(st.integers(3, 7), st.integers(7, 40), st.integers(0, 100))
def test_bezier_curves_are_fitted_exactly(num_control: int, num_points: int, seed: int) -> None:
    code = CurveCode("bezier", num_control, num_points)
    control = torch.randn(2, code.size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(code.encode(code.decode(control)), control, atol=1e-6, rtol=0)


def test_a_fit_keeps_the_ends_of_any_curve() -> None:
    points = torch.randn(201, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).cumsum(0)
    fitted = CurveCode("bezier", 5, 11).decode(CurveCode("bezier", 5, 11).encode(points))
    torch.testing.assert_close(fitted[[0, -1]], points[[0, -1]])
    straight = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None] * torch.tensor([30.0, 4.0, 1.0])
    code = CurveCode("bezier", 5, 11)
    torch.testing.assert_close(code.decode(code.encode(straight)), straight[::20])


def test_a_fit_is_the_nearest_of_all_curves_with_these_ends() -> None:
    code = CurveCode("bezier", 5, 30)
    points = torch.randn(30, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).cumsum(0)
    best = code.encode(points)
    least = (code.decode(best) - points).square().sum()
    for inner in range(3, 12):
        for step in (-1e-3, 1e-3):
            other = best.clone()
            other[inner] += step
            assert (code.decode(other) - points).square().sum() > least


def test_ordered_points_are_the_curve_itself_or_lie_on_it() -> None:
    points = torch.randn(2, 11, 3)
    code = CurveCode("points", 11, 11)
    assert code.size == 33
    torch.testing.assert_close(code.decode(code.encode(points)), points)
    # Every 20th of 201 points; a code of 3 points is filled up by straight lines.
    line = torch.arange(201.0)[:, None].expand(-1, 3)
    assert code.encode(line).tolist() == torch.arange(0.0, 201, 20).repeat_interleave(3).tolist()
    filled = CurveCode("points", 3, 5).decode(torch.tensor([0.0, 0, 0, 2, 4, 6, 2, 4, 8]))
    assert filled.tolist() == [[0, 0, 0], [1, 2, 3], [2, 4, 6], [2, 4, 7], [2, 4, 8]]


def test_no_curve_gives_no_code() -> None:
    code = CurveCode()
    assert code.encode(torch.zeros(0, 11, 3)).shape == (0, 15)
    assert code.decode(torch.zeros(0, 15)).shape == (0, 11, 3)


def test_impossible_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="one of bezier, points, not 'spline'"):
        CurveCode("spline")
    with pytest.raises(ValueError, match="at least 2 points, not 1 and 11"):
        CurveCode("points", 1)
    with pytest.raises(ValueError, match="4 points do not determine a Bezier curve of 5"):
        CurveCode().encode(torch.zeros(1, 4, 3))


def test_headings_are_the_nearest() -> None:
    angles = torch.tensor([0.0, 0.7, 0.9, 3.1, -3.1, -1.5, -0.9, -0.7])
    steps = torch.stack([angles.cos(), angles.sin(), torch.zeros(8)], dim=-1)
    assert headings_of(5 * steps, 4).tolist() == [0, 0, 1, 2, 2, 3, 3, 0]
