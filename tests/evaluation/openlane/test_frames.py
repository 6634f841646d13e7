"""What is refused, and with which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bev.evaluation.openlane.frames import FrameReader, OpenLaneFormatError, each_frame

LINE = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def reader(kind: str, *instances: Any, is_truth: bool = True) -> FrameReader:
    return FrameReader({kind: list(instances)}, "val/7/8", is_truth)


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({}, "lane 1: 'points' is missing"),
        ("no", "lane 1: 'points' is missing"),
        ({"points": [[0.0, 1.0]]}, r"lane 1: 'points' must be \(n, 3\) with n >= 2, found \(1, 2\)"),
        ({"points": LINE[:1]}, "n >= 2"),
        ({"points": np.zeros((0, 3))}, "n >= 2"),
        ({"points": [["a", "b", "c"]] * 2}, "no numbers"),
        ({"points": [[0.0, 0.0, float("nan")]] * 2}, "must be finite"),
    ],
)
def test_curves(instance: Any, message: str) -> None:
    with pytest.raises(OpenLaneFormatError, match="ground truth of frame val/7/8: ") as error:
        reader("lane", {"points": LINE}, instance).curves("lane", fewest=2)
    error.match(message)


def test_predicted_curves_may_be_nan() -> None:
    curves = reader("lane", {"points": LINE}, {"points": [[float("nan")] * 3]}, is_truth=False).curves("lane")
    assert curves.finite.tolist() == [True, False]
    assert curves.starts.tolist() == [0, 2, 3]


def test_boxes_and_numbers() -> None:
    with pytest.raises(OpenLaneFormatError, match=r"box 0: 'points' must be \(2, 2\), found \(2, 3\)"):
        reader("box", {"points": LINE}).boxes("box")
    for wrong in ({}, {"confidence": "high"}, {"confidence": [1.0]}, 3):
        with pytest.raises(OpenLaneFormatError, match="prediction of frame val/7/8: box 1: 'confidence' must"):
            reader("box", {"confidence": 0.5}, wrong, is_truth=False).confidences("box")


def test_lists_and_matrices() -> None:
    with pytest.raises(OpenLaneFormatError, match="'lane' must be a list, found NoneType"):
        FrameReader({}, "t", True).instances("lane")
    with pytest.raises(OpenLaneFormatError, match="expected a dictionary, found int"):
        FrameReader(3, "t", True)
    for matrix in (None, [[1.0]], np.zeros((3, 2))):
        with pytest.raises(OpenLaneFormatError, match=r"'edges' must be \(2, 3\)"):
            FrameReader({"edges": matrix}, "t", True).adjacency("edges", 2, 3)
    assert FrameReader({"edges": []}, "t", True).adjacency("edges", 0, 3).shape == (0, 3)


def test_half_precision_boxes_are_judged_in_single() -> None:
    assert reader("box", {"points": np.zeros((2, 2), dtype=np.float16)}).boxes("box").dtype == np.float32


def test_nesting_of_annotations_and_predictions() -> None:
    expected = [("a", {"x": 1}, {"x": 2})]
    assert list(each_frame({"a": {"x": 1}}, {"a": {"x": 2}, "b": {}})) == expected
    official = {"results": {"a": {"predictions": {"x": 2}}}}
    assert list(each_frame({"a": {"annotation": {"x": 1}, "pose": 0}}, official)) == expected
    with pytest.raises(OpenLaneFormatError, match="frame a: there is no prediction"):
        list(each_frame({"a": {}}, {"b": {}}))


def test_what_is_no_matrix_is_named() -> None:
    with pytest.raises(OpenLaneFormatError, match="'topology_lclc' is no matrix"):
        FrameReader({"topology_lclc": [["a"]]}, "frame 1", True).adjacency("topology_lclc", 1, 1)


def test_a_prediction_that_is_none_is_not_the_truth() -> None:
    assert [frame[2] for frame in each_frame({"a": {}}, None)] == [None]
    for nothing in (None, {"predictions": None}):
        with pytest.raises(OpenLaneFormatError, match="prediction of frame a: expected a dictionary, found None"):
            list(each_frame({"a": {}}, {"a": nothing}))


def test_a_confidence_that_is_no_number_is_named() -> None:
    reader = FrameReader({"lane": [{"confidence": 0.5}, {"confidence": float("nan")}]}, "t", is_truth=False)
    with pytest.raises(OpenLaneFormatError, match="frame t: lane 1: 'confidence' must be a number, not NaN"):
        reader.confidences("lane")


def test_a_confidence_beyond_floats_is_named() -> None:
    reader = FrameReader({"lane": [{"confidence": 0.5}, {"confidence": 10**400}]}, "t", is_truth=False)
    with pytest.raises(OpenLaneFormatError, match="frame t: lane 1: 'confidence' must be a number"):
        reader.confidences("lane")
