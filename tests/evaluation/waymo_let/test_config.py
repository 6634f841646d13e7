"""Official configs in text format, and score cut-offs from scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bev.evaluation.waymo_let import Alignment, Breakdown, BreakdownLevels, MetricConfig, MetricConfigError
from bev.evaluation.waymo_let.config import estimate_cutoffs

GOLDENS = Path(__file__).parents[2] / "goldens" / "waymo_let"
TEXT = """
breakdown_generator_ids: RANGE difficulties {}
matcher_type: TYPE_HUNGARIAN box_type: TYPE_2D
iou_thresholds: [0, 0.5, 0.3, 0.3, 0.3] num_desired_score_cutoffs: 5
let_metric_config { enabled: true sensor_location { x: 1 y: 2 z: 3 } longitudinal_tolerance_percentage: 0.2 }
"""


def test_the_challenge_config_is_the_official_one() -> None:
    text = str(np.load(GOLDENS / "01_let_challenge.npz")["config_text"])
    official, own = MetricConfig.from_text(text), MetricConfig.challenge()
    for name in ("score_cutoffs", "iou_thresholds"):
        np.testing.assert_array_equal(*(np.float32(getattr(config, name)) for config in (official, own)))
    assert official.breakdowns == own.breakdowns
    assert official.let is not None and own.let is not None
    assert official.let.sensor_location == own.let.sensor_location
    assert official.let.alignment is own.let.alignment
    np.testing.assert_allclose([official.let.tolerance, official.let.min_tolerance], [0.1, 0.5], rtol=1e-7)


def test_defaults_of_the_message() -> None:
    config = MetricConfig.from_text(TEXT)
    assert config.breakdowns == (BreakdownLevels(Breakdown.RANGE, (2,)),)
    assert config.planar
    assert config.recall_delta == pytest.approx(0.05)
    assert config.let is not None
    assert config.let.alignment is Alignment.RANGE
    assert config.let.sensor_location == (1, 2, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TYPE_HUNGARIAN", "TYPE_SCORE_FIRST", "TYPE_HUNGARIAN"),
        ("TYPE_2D", "TYPE_AA_2D", "box_type"),
        ("RANGE", "VELOCITY", "known are ONE_SHARD"),
        ("difficulties {}", "", "1 breakdown_generator_ids but 0 difficulties"),
        ("difficulties {}", "difficulties { levels: UNKNOWN }", "levels are 1 and 2"),
        ("num_desired_score_cutoffs: 5", "", "neither score_cutoffs"),
        ("[0, 0.5, 0.3, 0.3, 0.3]", "[0, 0.5]", "2 IoU thresholds; 5 are needed"),
        ("sensor_location", "sensor_place", "sensor_place"),
    ],
)
def test_configs_that_cannot_be_computed(old: str, new: str, message: str) -> None:
    with pytest.raises(MetricConfigError, match=message):
        MetricConfig.from_text(TEXT.replace(old, new))


def test_cutoffs_from_scores() -> None:
    scores = np.arange(10)[::-1] / 10
    np.testing.assert_allclose(estimate_cutoffs(scores, 4), [0, 0.3, 0.6, 1], atol=1e-6)
    np.testing.assert_allclose(estimate_cutoffs(scores[:2], 5), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(estimate_cutoffs(scores, 1), [0])


def test_an_unknown_alignment_is_refused() -> None:
    with pytest.raises(MetricConfigError, match="align_type"):
        MetricConfig.from_text(TEXT.replace("sensor_location {", "align_type: TYPE_UNKNOWN sensor_location {"))
