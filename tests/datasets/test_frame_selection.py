from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bev.datasets.frame_selection import FrameSelector, nearest_to_current


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    others=st.sets(st.integers(-8, 8).filter(bool), max_size=5),
    unit=st.sampled_from(["samples", "seconds"]),
)
def test_selection_against_a_search_through_all_frames(lengths, others, unit):
    scenes = np.repeat(np.arange(len(lengths)), lengths)
    times = np.concatenate([100.0 * s + 0.5 * np.arange(n) for s, n in enumerate(lengths)])
    offsets = sorted({0, *others})
    wanted = [offset * 0.5 for offset in offsets]
    selector = FrameSelector(scenes, times, offsets if unit == "samples" else wanted, unit, tolerance=0.1)
    for row in range(len(scenes)):
        expected = [
            next(
                (r for r in range(len(scenes)) if scenes[r] == scenes[row] and abs(times[r] - times[row] - w) < 1e-6),
                None,
            )
            for w in wanted
        ]
        found = selector.rows(row)
        assert found == expected
        filled = nearest_to_current(found, selector.current)
        assert all(a == b for a, b in zip(filled, found, strict=True) if b is not None)
        assert filled == sorted(filled)
