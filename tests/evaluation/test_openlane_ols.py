"""The OpenLane-V2 score against the official one and against its plain form."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bev.evaluation.openlane.benchmark import random_frames
from bev.evaluation.openlane.frames import OpenLaneFormatError
from bev.evaluation.openlane.reference import evaluate_plainly
from bev.evaluation.openlane_ols import evaluate, judge_frame, summarise

CODES = {"v1.0": "v1.0", "v1.1": "v2.1"}
SCORES = {"OLS": "score", "DET_l": "DET_l", "DET_t": "DET_t", "TOP_ll": "TOP_ll", "TOP_lt": "TOP_lt"}

Frames = dict[str, dict[str, Any]]


@pytest.fixture
def frames(goldens: Path) -> tuple[Frames, Frames]:
    folder = goldens / "openlanev2_metric"
    truths = json.loads((folder / "ground_truth.json").read_text())
    predictions = json.loads((folder / "predictions.json").read_text())
    return truths, predictions


def reordered(frame: dict[str, Any], order: list[int]) -> dict[str, Any]:
    """The same frame with its lanes in another order, or some of them several times."""
    lanes = [frame["lane_centerline"][i] for i in order]
    inner, outer = np.array(frame["topology_lclc"]), np.array(frame["topology_lcte"])
    inner = inner.reshape(len(frame["lane_centerline"]), -1)[np.ix_(order, order)]
    return {**frame, "lane_centerline": lanes, "topology_lclc": inner, "topology_lcte": outer[order]}


@pytest.mark.parametrize("version", CODES)
@pytest.mark.parametrize("case", ["noisy", "perfect"])
def test_official_scores(goldens: Path, frames: tuple[Frames, Frames], version: str, case: str) -> None:
    path = goldens / "openlanev2_metric" / f"scores_{CODES[version]}_numpy1.json"
    official = json.loads(path.read_text())["scores"][f"int8_{case}"]
    found = evaluate(frames[0], frames[1] if case == "noisy" else None, version)
    for name, key in SCORES.items():
        assert found[name] == pytest.approx(official["OpenLane-V2 Score"][key], abs=1e-6), name
    assert found["F_score"] == pytest.approx(official["F-Score for 3D Lane"]["score"], abs=1e-6)
    assert np.mean([found[f"DET_l@{limit}"] for limit in (1, 2, 3)]) == pytest.approx(found["DET_l"])
    assert np.mean([value for name, value in found.items() if "DET_t/" in name]) == pytest.approx(found["DET_t"])


@pytest.mark.parametrize("version", CODES)
def test_truth_as_prediction_is_perfect(frames: tuple[Frames, Frames], version: str) -> None:
    predictions = copy.deepcopy(frames[0])
    for frame in predictions.values():
        for instance in (*frame["lane_centerline"], *frame["traffic_element"]):
            instance["confidence"] = 1.0
    assert set(evaluate(frames[0], predictions, version).values()) == {1.0}


@pytest.mark.parametrize("version", CODES)
@pytest.mark.parametrize("lanes", [0, 1, 7, 25])
def test_equals_the_plain_form(version: str, lanes: int) -> None:
    truths, predictions = random_frames(4, lanes, seed=lanes)
    predictions["val/0"] = predictions["val/1"]  # nothing fits
    truths["val/2"] = {**truths["val/0"], "traffic_element": [], "topology_lcte": np.zeros((lanes, 0), dtype=np.int8)}
    if lanes > 1:
        predictions["val/3"] = reordered(predictions["val/3"], [*range(1, lanes), 1])
    found, expected = evaluate(truths, predictions, version), evaluate_plainly(truths, predictions, version)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-7), name


def test_the_order_of_lanes_does_not_matter_in_the_newer_version(frames: tuple[Frames, Frames]) -> None:
    generator = np.random.default_rng(0)
    shuffled = [
        {t: reordered(f, generator.permutation(len(f["lane_centerline"])).tolist()) for t, f in side.items()}
        for side in frames
    ]
    assert evaluate(*shuffled) == pytest.approx(evaluate(*frames), abs=1e-7)


def test_a_repeated_lane_is_a_false_positive(frames: tuple[Frames, Frames]) -> None:
    token, truth = next(iter(frames[0].items()))
    count = len(truth["lane_centerline"])
    twice = reordered(truth, [0, *range(count)])
    twice["lane_centerline"] = [{**lane, "confidence": 1 - 0.01 * i} for i, lane in enumerate(twice["lane_centerline"])]
    twice["traffic_element"] = [{**element, "confidence": 1.0} for element in truth["traffic_element"]]
    found = evaluate({token: truth}, {token: twice})
    # The repetition ranks second: recall 1 / n has precision 1, all later ones at best that of the whole list.
    reached = sum(level <= np.float32(1 / count) for level in np.arange(11, dtype=np.float32) / 10)
    expected = (reached + (11 - reached) * count / (count + 1)) / 11
    assert found["DET_l"] == pytest.approx(expected, abs=1e-6)
    assert found["TOP_ll"] == found["TOP_lt"] == 1.0


def test_lanes_with_nan_count_as_lanes_elsewhere(frames: tuple[Frames, Frames]) -> None:
    truths, broken = copy.deepcopy(frames)
    moved = copy.deepcopy(broken)
    for token in truths:
        broken[token]["lane_centerline"][0]["points"][3][1] = float("nan")
        moved[token]["lane_centerline"][0]["points"] = [[500.0, 500.0, 0.0]] * 4
        broken[token]["traffic_element"][0]["points"][0][0] = float("nan")
        moved[token]["traffic_element"][0]["points"] = [[-9.0, -9.0], [-8.0, -8.0]]
    found, expected = evaluate(truths, broken), evaluate(truths, moved)
    assert found | {"F_score": 0} == expected | {"F_score": 0}
    assert found["DET_l"] < evaluate(*frames)["DET_l"]


def test_nan_in_the_ground_truth_is_refused_with_its_frame(frames: tuple[Frames, Frames]) -> None:
    truths, predictions = copy.deepcopy(frames)
    token = list(truths)[1]
    truths[token]["lane_centerline"][2]["points"][0][0] = float("nan")
    with pytest.raises(OpenLaneFormatError, match=f"ground truth of frame {token}: lane_centerline 2: 'points'"):
        evaluate(truths, predictions)


def test_empty_frames() -> None:
    empty = {"lane_centerline": [], "traffic_element": [], "topology_lclc": [], "topology_lcte": []}
    found = evaluate({"a": empty}, {"a": empty})
    # As in the official evaluation: nothing to detect is detected, but no edge can be right.
    assert (found["DET_l"], found["DET_t"], found["TOP_ll"], found["TOP_lt"]) == (1, 1, 0, 0)
    truths, predictions = random_frames(1, 3)
    assert evaluate(truths, {"val/0": empty})["DET_l"] == 0
    assert evaluate({"val/0": empty}, predictions)["DET_l"] == 0


def test_an_empty_frame_changes_nothing_else(frames: tuple[Frames, Frames]) -> None:
    empty = {"lane_centerline": [], "traffic_element": [], "topology_lclc": [], "topology_lcte": []}
    more = [{**side, "empty": empty} for side in frames]
    assert evaluate(*more) == evaluate(*frames)


def test_frames_can_be_judged_one_by_one(frames: tuple[Frames, Frames]) -> None:
    judged = [judge_frame(token, truth, frames[1][token], "v1.0") for token, truth in frames[0].items()]
    assert summarise(judged) == evaluate(*frames, version="v1.0")


def test_what_cannot_be_evaluated(frames: tuple[Frames, Frames]) -> None:
    with pytest.raises(ValueError, match=r"version 'v2' is unknown; choose one of v1\.0, v1\.1"):
        evaluate(*frames, version="v2")
    with pytest.raises(ValueError, match="no frame"):
        evaluate({}, {})
    truths, predictions = copy.deepcopy(frames)
    token = next(iter(truths))
    predictions[token]["topology_lclc"] = predictions[token]["topology_lclc"][1:]
    with pytest.raises(OpenLaneFormatError, match=f"prediction of frame {token}: 'topology_lclc' must be"):
        evaluate(truths, predictions)
