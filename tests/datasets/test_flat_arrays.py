from __future__ import annotations

import numpy as np

from bev.datasets.flat_arrays import byte_strings, firsts


def test_groups_start_where_those_before_them_end() -> None:
    np.testing.assert_array_equal(firsts([2, 0, 3]), [0, 2, 2, 5])
    assert firsts([]).dtype == np.int64
    np.testing.assert_array_equal(firsts([]), [0])


def test_strings_come_back() -> None:
    names = ["CAM_FRONT", "", "Zürich"]
    assert [value.decode() for value in byte_strings(names)] == names
    assert byte_strings(names).dtype.kind == "S"
    assert byte_strings([]).shape == (0,)
