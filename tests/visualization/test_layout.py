from __future__ import annotations

import numpy as np
import pytest

from bev.visualization.layout import GAP, STRIP, even, fit, join, legend, row_sizes, title_strip

RED, BLUE = (250, 10, 10), (10, 10, 250)


def columns_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.flatnonzero((picture == colour).all(axis=2).any(axis=0))


@pytest.mark.parametrize("aspects", [[16 / 9] * 6, [1.5, 1.9], [2.0]])
def test_a_row_fills_its_width_and_keeps_aspects(aspects: list[float]) -> None:
    sizes = row_sizes(aspects, 1001)
    assert sum(width for _, width in sizes) + GAP * (len(sizes) - 1) == 1001
    assert len({height for height, _ in sizes}) == 1
    for (height, width), aspect in zip(sizes, aspects, strict=True):
        assert abs(width - aspect * height) <= 0.5 * aspect + 1
    images = [np.zeros((*size, 3), np.uint8) for size in sizes]
    assert join(images, axis=1).shape[1] == 1001


def test_a_legend_takes_the_lines_that_it_needs() -> None:
    entries = {"red_things": RED, "blue_things": BLUE}
    wide, narrow = legend(400, entries), legend(150, entries)
    assert wide.shape == (STRIP, 400, 3)
    assert narrow.shape == (2 * STRIP, 150, 3)
    assert columns_of(wide, RED).max() < columns_of(wide, BLUE).min()
    assert columns_of(narrow[:STRIP], RED).size
    assert columns_of(narrow[STRIP:], BLUE).size
    np.testing.assert_array_equal(columns_of(narrow, RED), columns_of(narrow, BLUE))


def test_a_title_strip_has_its_entries_at_the_right() -> None:
    strip = title_strip(1000, "title", {"a": RED, "b": BLUE})
    assert columns_of(strip, RED).min() > 880
    assert columns_of(strip, RED).max() < columns_of(strip, BLUE).min()


def test_names_stand_below_the_title_of_a_narrow_picture() -> None:
    """With one height for all pictures of a video, whatever names each has."""
    possible = {f"class_number_{i}": BLUE for i in range(5)} | {"a": RED}
    some, none = title_strip(300, "A title of some length", {"a": RED}, possible), title_strip(300, "A", {}, possible)
    assert some.shape == none.shape == (STRIP + legend(300, possible).shape[0], 300, 3)
    assert not columns_of(some[:STRIP], RED).size
    assert columns_of(some[STRIP:], RED).size
    assert title_strip(300, "A", {}).shape == (STRIP, 300, 3)
    assert title_strip(1200, "A", {"a": RED}, possible).shape == (STRIP, 1200, 3)


def test_even_sides() -> None:
    assert even(np.zeros((3, 5, 3), np.uint8)).shape == (4, 6, 3)
    assert even(np.zeros((4, 6, 3), np.uint8)).shape == (4, 6, 3)


def test_a_picture_of_one_row_keeps_it() -> None:
    assert fit(np.zeros((1, 5000, 3), np.uint8), (0, 64)).shape == (1, 64, 3)
