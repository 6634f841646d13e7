from __future__ import annotations

import pytest

from bev.geometry.compiled import in_parallel


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("threads", [None, 1, 3])
def test_every_number_of_a_range_is_in_one_part(count: int, threads: int | None) -> None:
    numbers: list[int] = []
    in_parallel(lambda part: numbers.extend(range(part.start, part.stop)), count, threads)
    assert sorted(numbers) == list(range(count))


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda part: 1 / part.start, 10)
