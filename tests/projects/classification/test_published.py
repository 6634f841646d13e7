"""What the configs of classifiers compute to, beside what the authors reported."""

from __future__ import annotations

from pathlib import Path

import pytest

import bev
from bev.engine.config import load_config
from bev.engine.image_model_size import measure_image_model
from bev.engine.size_report import published

CONFIGS = Path(__file__).parents[3] / "projects" / "classification" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_sizes_agree_with_the_published_ones(path: Path) -> None:
    bev.register_all()
    config = load_config(path)
    theirs = published(config)
    if theirs["parameters"] is None:
        pytest.skip("the authors give no sizes for it")
    ours = measure_image_model(config)
    rounding = 0.5e9 if "rounded" in (theirs["note"] or "") else 0.0
    in_billions = theirs["parameters"] > 2e9
    assert ours.parameters == pytest.approx(theirs["parameters"], rel=0.01, abs=rounding if in_billions else 0.0)
    assert ours.multiply_adds == pytest.approx(theirs["multiply_adds"], rel=0.02, abs=rounding)
