from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from bev.engine.augmented_test import augment_test
from bev.engine.config import ConfigError, load_config

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[2] / "configs"


def views_of(pipeline: list[dict]) -> list[list[dict]]:
    return pipeline[-1]["transforms"]


def test_every_data_set_is_mirrored_to_its_side() -> None:
    for name, axes in (
        ("bevformerv2_internimage_nano_synthetic", ["x"]),
        ("bevformerv2_internimage_nano_waymo_synthetic", ["y"]),
        ("bevformerv2_internimage_nano_mixed_synthetic", ["y", "y"]),
    ):
        config = load_config(CONFIGS / f"{name}.py")
        augment_test(config)
        dataset = config.test_dataloader.dataset
        members = dataset.datasets if "datasets" in dataset else [dataset]
        for member, axis in zip(members, axes, strict=True):
            mirror, last = views_of(member.pipeline)
            assert [(view["probability"], view["axis"]) for view in mirror] == [(0.0, axis), (1.0, axis)]
            assert [step["type"] for step in last] == ["PackClip"]
        assert config.custom_hooks[-1] == {"type": "PrepareTTAHook", "tta_cfg": {"type": "AugmentedDetection"}}
        assert len(config.custom_hooks) == 5


def test_a_config_says_how() -> None:
    config = load_config(CONFIGS / "bevformer_plus_plus_r101_waymo.py")
    augment_test(config)
    resize, mirror, _ = views_of(config.test_dataloader.dataset.pipeline)
    assert (len(resize), len(mirror)) == (3, 2)
    assert config.custom_hooks[-1]["tta_cfg"]["method"] == "wbf"


def test_image_models_need_views_and_a_merging_model() -> None:
    dataset = dict(type="CocoDataset", pipeline=[dict(type="PackDetInputs")])
    views = [dict(type="TestTimeAug")]
    config = Config(dict(model=dict(type="DINO"), test_dataloader=dict(dataset=dataset)))
    with pytest.raises(ConfigError, match="has no tta_pipeline and no tta_model:"):
        augment_test(config)
    config.tta_pipeline = views
    with pytest.raises(ConfigError, match="has no tta_model:"):
        augment_test(config)
    assert config.test_dataloader.dataset.pipeline == dataset["pipeline"]
    config.tta_model = dict(type="DetTTAModel")
    augment_test(config)
    assert config.test_dataloader.dataset.pipeline == views
    assert config.custom_hooks == [dict(type="PrepareTTAHook", tta_cfg=dict(type="DetTTAModel"))]
