"""Waymo's detection metrics against the official op, and what must hold for any input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bev.evaluation.waymo_let import (
    Accumulator,
    DetectionMetrics,
    MetricConfig,
    MetricConfigError,
    accumulate,
    detection_metrics,
    split_frames,
)

GOLDENS = Path(__file__).parents[2] / "goldens" / "waymo_let"
RECORDED = sorted(path.stem for path in GOLDENS.glob("*.npz") if not path.stem.startswith("31"))
MICRO = json.loads((GOLDENS / "30_micro.json").read_text())
SIZES = {1: (4.6, 2.0, 1.7), 2: (0.8, 0.8, 1.7), 3: (0.3, 0.8, 0.8), 4: (1.8, 0.8, 1.7)}


def recorded(name: str) -> tuple[dict, dict, MetricConfig, dict]:
    """Predictions, ground truths, config and outputs of a golden."""
    arrays = dict(np.load(GOLDENS / f"{name}.npz"))
    sides = [
        {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
        for prefix in ("in_pd_", "in_gt_", "out_")
    ]
    return sides[0], sides[1], MetricConfig.from_text(str(arrays["config_text"])), sides[2]


def states(result: DetectionMetrics) -> np.ndarray:
    """(B, C, 5): false and true positives, misses, sums of heading accuracy and affinity; the official op's order."""
    counts = (result.false_positives, result.true_positives, result.false_negatives)
    return np.stack([*counts, result.heading, result.affinity], axis=-1)


@pytest.mark.parametrize("name", RECORDED)
def test_official_op(name: str) -> None:
    predictions, truths, config, expected = recorded(name)
    result = detection_metrics(predictions, truths, config)
    assert result.names == expected["names"].tolist()
    np.testing.assert_array_equal(result.breakdown, expected["breakdown"])
    np.testing.assert_array_equal(states(result)[..., :3], expected["state"][..., :3])
    np.testing.assert_allclose(states(result)[..., 3:], expected["state"][..., 3:], rtol=0, atol=1e-5)
    curves = result.curves
    np.testing.assert_array_equal(np.stack([curves.precision, curves.recall], -1), expected["pr"][..., :2])
    for key, values in (("pr_ha", curves.precision_heading), ("pr_la", curves.precision_affinity)):
        np.testing.assert_allclose(values, expected[key][..., 0], rtol=0, atol=1e-6)
    for key in ("AP", "APH", "APL"):
        np.testing.assert_allclose(getattr(result, key), expected[key], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", MICRO["cases"], ids=lambda case: case["name"])
def test_micro_cases(case: dict) -> None:
    sides = [
        {key: np.array([row[key] for row in rows]) for key in keys}
        | {"box": np.array([row["box"] for row in rows], dtype=np.float32).reshape(-1, 7)}
        for rows, keys in ((case["pd"], ("type", "score", "frame", "nlz")), (case["gt"], ("type", "frame")))
    ]
    sides[1]["diff"] = np.array([row["difficulty"] for row in case["gt"]])
    config = MetricConfig.from_text(MICRO[f"config_{case['config']}"])
    result = detection_metrics(*sides, config)
    assert set(case["out"]) <= set(result.names)
    for row, name in enumerate(result.names):
        expected = case["out"].get(name, {"AP": 0, "APH": 0, "APL": 0})
        counts = np.array(expected.get("fp_tp_fn_sumha_sumla", np.zeros((len(config.score_cutoffs), 5))))
        np.testing.assert_array_equal(states(result)[row, :, :3], counts[:, :3], err_msg=name)
        np.testing.assert_allclose(states(result)[row, :, 3:], counts[:, 3:], rtol=0, atol=1e-6, err_msg=name)
        for key in ("AP", "APH", "APL"):
            assert getattr(result, key)[row] == pytest.approx(expected[key], abs=1e-6), name


def random_objects(seed: int, frames: int = 4, each: int = 9) -> tuple[dict, dict]:
    """Ground truths, and two noisy predictions of each; weights of any two pairs differ."""
    rng = np.random.default_rng(seed)
    types = rng.integers(1, 5, frames * each)
    boxes = np.zeros((len(types), 7))
    boxes[:, :2] = rng.uniform(-60, 60, (len(types), 2))
    boxes[:, 2] = rng.normal(0.9, 0.2, len(types))
    boxes[:, 3:6] = np.array([SIZES[kind] for kind in types])
    boxes[:, 6] = rng.uniform(-4, 4, len(types))
    frame = np.repeat(np.arange(frames), each)
    truths = {"box": boxes, "type": types, "frame": frame, "diff": rng.integers(1, 3, len(types))}
    noise = rng.normal(0, 1, (2 * len(types), 7)) * (0.6, 0.6, 0.05, 0.1, 0.05, 0.05, 0.2)
    predictions = {
        "box": np.concatenate([boxes, boxes]) + noise,
        "type": np.concatenate([types, types]),
        "frame": np.concatenate([frame, frame]),
        "score": rng.uniform(0, 1, len(noise)).astype(np.float32),
        "nlz": rng.uniform(size=len(noise)) < 0.1,
    }
    return predictions, truths


def shuffled(arrays: dict, rng: np.random.Generator) -> dict:
    order = rng.permutation(len(arrays["type"]))
    return {key: value[order] for key, value in arrays.items()}


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([MetricConfig.challenge((1, 2)), MetricConfig.plain()]))
def test_order_of_frames_and_of_objects_does_not_matter(seed: int, config: MetricConfig) -> None:
    predictions, truths = random_objects(seed)
    rng = np.random.default_rng(seed)
    names = rng.permutation(len(np.unique(truths["frame"])))
    expected = detection_metrics(predictions, truths, config)
    assume(expected.true_positives.max() > 0 and expected.false_positives.max() > 0)
    renamed = [{**side, "frame": names[side["frame"]]} for side in (predictions, truths)]
    result = detection_metrics(*(shuffled(side, rng) for side in renamed), config)
    np.testing.assert_array_equal(states(result)[..., :3], states(expected)[..., :3])
    np.testing.assert_allclose(states(result), states(expected), rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.APL, expected.APL, rtol=0, atol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([MetricConfig.challenge((1, 2)), MetricConfig.plain()]))
def test_a_perfect_prediction_scores_one(seed: int, config: MetricConfig) -> None:
    _, truths = random_objects(seed)
    perfect = {**truths, "score": np.ones(len(truths["type"]), dtype=np.float32)}
    result = detection_metrics(perfect, truths, config)
    present = (result.true_positives + result.false_negatives)[:, 0] > 0
    for values in (result.AP, result.APH, result.APL):
        np.testing.assert_allclose(values[present], 1, atol=1e-6)
        assert (values[~present] == 0).all()
    assert present.any()


def test_adding_accumulators_equals_counting_all() -> None:
    config = MetricConfig.challenge()
    frames = list(split_frames(*random_objects(3, frames=5)))
    first, second = Accumulator(config), Accumulator(config)
    for k, frame in enumerate(frames):
        (first if k < 2 else second).add(frame)
    together = (first + second).metrics()
    np.testing.assert_allclose(states(together), states(accumulate(frames, config).metrics()), rtol=0, atol=1e-12)
    assert first.totals.sum() < (first + second).totals.sum()


def test_processes_give_what_one_gives() -> None:
    predictions, truths = random_objects(5, frames=7)
    one, three = (detection_metrics(predictions, truths, workers=workers) for workers in (1, 3))
    np.testing.assert_array_equal(states(one)[..., :3], states(three)[..., :3])
    np.testing.assert_allclose(one.APL, three.APL, rtol=0, atol=1e-7)


def test_the_named_camera_decides_where_a_ground_truth_counts() -> None:
    """An object at 22 degrees is seen by FRONT and FRONT_LEFT; by azimuth alone it counts at FRONT."""
    angle = np.deg2rad(22)
    box = np.array([[30 * np.cos(angle), 30 * np.sin(angle), 1.0, 4.6, 2.0, 1.7, 0.0]])
    side = {"box": box, "type": np.array([1]), "frame": np.array(["a"])}
    found = {**side, "score": np.array([0.9])}
    ap = {
        camera: detection_metrics(found, {**side, "camera": np.array([camera])}).summary() for camera in (0, 1, 2)
    }
    shard = "CAMERA_TYPE_VEHICLE_{}_LEVEL_2"
    assert [ap[camera][shard.format("FRONT")]["AP"] for camera in (0, 1, 2)] == [1, 1, 0]
    assert [ap[camera][shard.format("FRONT-LEFT")]["AP"] for camera in (0, 1, 2)] == [0, 0, 1]


def test_mean_over_the_reported_types() -> None:
    summary = detection_metrics(*random_objects(1)).summary()
    kinds = ("VEHICLE", "PEDESTRIAN", "CYCLIST")
    expected = np.mean([summary[f"OBJECT_TYPE_TYPE_{kind}_LEVEL_2"]["APL"] for kind in kinds])
    assert summary["ALL_NS_LEVEL_2"]["APL"] == pytest.approx(expected)
    assert 0 < expected < 1
    assert "ALL_NS_LEVEL_1" not in summary


def test_a_stream_needs_score_cutoffs() -> None:
    config = replace(MetricConfig.challenge(), score_cutoffs=(), num_desired_score_cutoffs=10)
    with pytest.raises(MetricConfigError, match="score_cutoffs"):
        Accumulator(config)


def test_counts_of_different_configs_are_not_added() -> None:
    with pytest.raises(MetricConfigError, match="different configs"):
        Accumulator(MetricConfig.challenge()) + Accumulator(MetricConfig.plain())
