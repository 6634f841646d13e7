"""Arrays of all frames split into frames, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from bev.evaluation.waymo_let import ObjectsError, split_frames

BOX = [10.0, 0.0, 1.0, 4.0, 2.0, 1.5, 0.0]


def side(frames: list, **columns) -> dict:
    boxes = np.array([BOX] * len(frames)).reshape(-1, 7)
    arrays = {"box": boxes, "type": np.ones(len(frames)), "frame": np.array(frames)}
    return {**arrays, "score": np.linspace(0, 1, len(frames)), **columns}


def test_objects_keep_their_order_and_either_side_may_lack_a_frame() -> None:
    frames = list(split_frames(side(["b", "a", "b"]), side(["c", "b"])))
    assert [len(frame.types) for frame in frames] == [1, 2, 0]
    assert [len(frame.truth_types) for frame in frames] == [0, 1, 1]
    np.testing.assert_allclose(frames[1].scores, [0, 1])


def test_one_side_may_be_empty() -> None:
    assert [len(frame.truth_types) for frame in split_frames(side([]), side(["c", "b"]))] == [1, 1]
    assert list(split_frames(side([]), side([]))) == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"box": np.zeros((2, 9))}, r"'box' has shape \(2, 9\)"),
        ({"box": np.full((2, 7), np.nan)}, "box 0 is not finite"),
        ({"type": np.array([1, 0])}, "row 1 has type 0"),
        ({"score": np.array([0.1, np.nan])}, "score of row 1"),
        ({"score": np.zeros(3)}, r"'score' has shape \(3,\)"),
    ],
)
def test_bad_predictions(columns: dict, message: str) -> None:
    with pytest.raises(ObjectsError, match=f"predictions: .*{message}"):
        list(split_frames(side([0, 1], **columns), side([0])))


def test_bad_ground_truths() -> None:
    with pytest.raises(ObjectsError, match="ground_truths: difficulties"):
        list(split_frames(side([0]), side([0], diff=np.array([3]))))
    without = side([0])
    del without["type"]
    with pytest.raises(ObjectsError, match="ground_truths: no array 'type'"):
        list(split_frames(side([0]), without))
    del without["box"]
    with pytest.raises(ObjectsError, match="ground_truths: no array 'box'"):
        list(split_frames(side([0]), without))
