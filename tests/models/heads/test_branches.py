from __future__ import annotations

import torch

from bev.models.heads.branches import class_branch, regression_branch


def test_everything_starts_as_background() -> None:
    for num_fcs in (0, 2):
        branch = class_branch(8, 3, num_fcs)
        torch.testing.assert_close(branch[-1].bias.sigmoid(), torch.full((3,), 0.01))
        assert branch(torch.zeros(2, 8)).shape == (2, 3)


def test_regression_starts_at_its_initial_numbers() -> None:
    states = torch.randn(5, 8)
    assert not regression_branch(8, 4, 2)(states).any()
    assert regression_branch(8, 2, 1, (0.5, -2.0))(states).tolist() == [[0.5, -2.0]] * 5
