"""A history keeps what its offsets need, whatever the rate of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bev.inference.history import Frame, History

EIGHT = tuple(0.5 * step for step in range(-7, 0))  # of bevformerv2_r50_t8
TOLERANCE = 0.3


def frame(time: float) -> Frame:
    return Frame(time, cast(Any, None), None)


def errors(times: Sequence[float], now: float, offsets: Sequence[float] = EIGHT) -> list[float]:
    """How far from the wanted times the nearest of `times` are."""
    return [min((abs(time - now - offset) for time in times), default=np.inf) for offset in offsets]


@pytest.mark.parametrize(("offsets", "most"), [(EIGHT, 38), (EIGHT[-1:], 16), ((), 1)])
@pytest.mark.parametrize("rate", [10, 30, 100, 1000])
def test_the_number_of_frames_does_not_grow_with_the_rate(offsets: Sequence[float], most: int, rate: int) -> None:
    history = History(offsets, TOLERANCE)
    for step in range(6 * rate):
        history.add(frame(step / rate))
        assert len(history) <= most
    assert history.last is not None
    assert history.last.time == (6 * rate - 1) / rate


@given(st.lists(st.floats(1e-4, 0.7), min_size=1, max_size=150))
def test_thinning_loses_nothing_that_is_wanted(steps: list[float]) -> None:
    history, before = History(EIGHT, TOLERANCE), []
    for now in np.cumsum(steps):
        found = history.find(now)
        for offset, past, nearest in zip(EIGHT, found, errors(before, now), strict=True):
            if nearest > TOLERANCE:
                assert past is None
                continue
            assert past is not None
            error = abs(past.time - now - offset)
            assert error <= max(nearest, min(0.1 * abs(offset), TOLERANCE / 2)) + 1e-9
        history.add(frame(now))
        before.append(now)
        assert len(history) <= 38


@given(st.lists(st.floats(-0.1, 0.1), min_size=30, max_size=30))
def test_at_the_rate_of_the_offsets_nothing_is_thinned(jitter: list[float]) -> None:
    history, before = History(EIGHT, TOLERANCE), []
    for now in 0.5 * np.arange(30) + jitter:
        for offset, past, nearest in zip(EIGHT, history.find(now), errors(before, now), strict=True):
            assert (past is None) == (nearest > TOLERANCE)
            assert past is None or abs(past.time - now - offset) == nearest
        history.add(frame(now))
        before.append(now)


def test_offsets_of_a_fast_data_set_are_not_thinned_either() -> None:
    offsets = [0.1 * step for step in range(-20, 0)]
    history = History(offsets, TOLERANCE)
    for step in range(60):
        history.add(frame(0.1 * step))
    assert len(history) >= 23
    assert max(errors([past.time for past in history.find(6.0) if past], 6.0, offsets)) < 1e-9


def test_ten_frames_per_second_lose_nothing_near_half_a_second() -> None:
    history = History(EIGHT[-1:], TOLERANCE)
    for step in range(60):
        found = history.find(0.1 * step)[0]
        assert (found is None) == (step < 2)
        if step >= 5:
            assert found is not None and found.time == pytest.approx(0.1 * step - 0.5)
        history.add(frame(0.1 * step))
