"""Pipelines of the segmentation data sets: where labels are changed, and what the multi-scale test looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

from bev.engine.config import load_config
from projects.segmentation import pipelines

CONFIGS = Path(__file__).parents[3] / "projects" / "segmentation" / "configs"


def types(steps: list[dict]) -> list[str]:
    return [step["type"] for step in steps]


def test_labels_are_changed_as_soon_as_they_are_loaded() -> None:
    merge = dict(type="MergeLabels", groups=[(0, 1)])
    steps = pipelines.train_pipeline((2048, 512), (512, 512), relabel=[merge])
    assert types(steps)[1:4] == ["LoadAnnotations", "MergeLabels", "RandomResize"]


def test_labels_of_a_test_keep_their_size() -> None:
    steps = types(pipelines.test_pipeline((2048, 512)))
    assert steps.index("LoadAnnotations") > steps.index("ResizeToMultiple") > steps.index("Resize")


@pytest.mark.parametrize("whole_strides", [True, False])
def test_the_multi_scale_test_does_in_each_view_what_the_test_does(whole_strides: bool) -> None:
    scale = (2048, 512)
    load, augmented = pipelines.tta_pipeline(scale, ratios=(1.0, 0.7), whole_strides=whole_strides)
    sizes, *rest = augmented["transforms"]
    assert [size["scale"] for size in sizes] == [scale, (1434, 358)]
    views = [load, sizes[0], *(choices[-1] for choices in rest)]
    mirrored = [step for step in views if step["type"] == "RandomFlip"]
    assert mirrored == [dict(type="RandomFlip", prob=1.0, direction="horizontal")]
    assert [step for step in views if step not in mirrored] == pipelines.test_pipeline(scale, whole_strides)


@pytest.mark.parametrize(
    ("name", "heights"),
    [
        ("upernet_internimage_l_640_160k_ade20k", [480, 640, 800]),
        ("upernet_internimage_xl_640_160k_ade20k", [320, 480, 640, 800, 960, 1120]),
        ("upernet_internimage_t_512_160k_ade20k", [256, 384, 512, 640, 768, 896]),
        ("mask2former_internimage_h_896_80k_cocostuff2ade20k", [768, 832, 896, 960, 1024]),
    ],
)
def test_scales_on_ade20k_are_the_official_ones(name: str, heights: list[int]) -> None:
    _, augmented = load_config(CONFIGS / f"{name}.py").tta_pipeline
    assert [step["scale"][1] for step in augmented["transforms"][0]] == heights
