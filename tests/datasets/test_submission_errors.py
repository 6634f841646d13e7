from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.submission_errors import SubmissionError, is_finite, refuse


@pytest.mark.parametrize("value", [10**400, float("nan"), float("-inf"), True, "1", None, [1.0]])
def test_numbers_are_told_from_others(value: object) -> None:
    assert not is_finite(value)
    assert is_finite(np.float32(2))
    assert is_finite(10**300)


def test_the_first_problems_are_listed() -> None:
    refuse([], "bad")
    with pytest.raises(SubmissionError, match=r"^bad:\n  0\n  1\n  2\n  3\n  4\n  \.\.\.$"):
        refuse(map(str, range(99)), "bad")
