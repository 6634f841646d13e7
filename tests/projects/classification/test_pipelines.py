"""Pipelines of classifiers on a picture: the size of what comes out, and which of them erase."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose

import bev
from bev.engine.config import load_config, scope
from projects.classification import pipelines

CONFIG = Path(__file__).parents[3] / "projects" / "classification" / "configs" / "internimage_t_1k_224.py"


@pytest.mark.parametrize("make", [pipelines.train_pipeline, pipelines.test_pipeline], ids=["train", "test"])
def test_images_get_the_asked_size(make, tmp_path: Path) -> None:
    bev.register_all()
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 90, 3), 90, np.uint8))
    with scope(load_config(CONFIG)):
        sample = Compose(make(32))(dict(img_path=str(tmp_path / "a.png"), gt_label=0))
    assert sample["inputs"].shape == (3, 32, 32)


def test_erased_areas_have_the_mean_colour_of_images_in_bgr() -> None:
    steps = {erase: pipelines.train_pipeline(32, erase=erase) for erase in (True, False)}
    (erasing,) = (step for step in steps[True] if step not in steps[False])
    assert erasing["type"] == "RandomErasing"
    assert erasing["fill_color"] == pipelines.MEAN[::-1]
    assert [step for step in steps[True] if step is not erasing] == steps[False]
