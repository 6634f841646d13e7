from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bev.engine.config import ConfigError, find_registered, load_config

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[2] / "configs"
NANO = CONFIGS / "bevformerv2_internimage_nano_synthetic.py"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_config_names_only_arguments_that_exist(path):
    config = load_config(path)
    assert config.model.type == "BEVPerceptor"


def test_override_of_an_existing_key():
    assert load_config(NANO, {"model.encoder.num_layers": 3}).model.encoder.num_layers == 3


def test_override_of_an_argument_that_the_config_leaves_at_its_default():
    assert load_config(NANO, {"model.train_history": True}).model.train_history is True


@pytest.mark.parametrize("key", ["prefetch_factor", "pin_memory", "num_batch_per_epoch"])
def test_override_of_a_loader(key):
    assert load_config(NANO, {f"train_dataloader.{key}": 2}).train_dataloader[key] == 2


def test_override_into_a_list():
    assert load_config(NANO, {"train_pipeline.1.flip": 0.0}).train_pipeline[1].flip == 0.0


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.encoder.num_layer", "did you mean num_layers"),
        ("trian_cfg.max_epochs", "did you mean train_cfg"),
        ("train_dataloader.pin_memroy", "did you mean pin_memory"),
        ("train_pipeline.99.flip", "no index of it"),
        ("model.encoder.num_layers.deep", "is a value, not a dict"),
    ],
)
def test_override_that_does_not_exist_is_refused(key, message):
    with pytest.raises(ConfigError, match=message):
        load_config(NANO, {key: 1})


def test_unknown_argument_in_a_file_is_found_with_its_place(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("model = dict(type='BEVPerceptor', heads=dict(a=dict(type='ImagePlaneHead', num_clases=10)))")
    with pytest.raises(ConfigError, match=r"model\.heads\.a\.num_clases.*did you mean num_classes"):
        load_config(path)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.py")


def test_types_of_another_package_come_before_ours():
    mmdet = find_registered("Resize", "mmdet")
    assert [kind.__module__.partition(".")[0] for kind in mmdet] == ["mmdet"]
    assert find_registered("mmdet.Resize") == mmdet
    assert find_registered("InternImage", "mmdet")[0].__module__.startswith("bev.")
    assert find_registered("ImageClassifier", "mmdet") == []


def test_unknown_argument_of_another_package_is_found(tmp_path):
    path = tmp_path / "classifier.py"
    path.write_text("default_scope = 'mmpretrain'\nmodel = dict(type='ImageClassifier', bakbone=None)")
    with pytest.raises(ConfigError, match=r"model\.bakbone.*did you mean backbone"):
        load_config(path)


def test_code_of_a_project_is_importable_from_its_configs(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    config = tmp_path / "projects" / "task" / "configs" / "one.py"
    config.parent.mkdir(parents=True)
    config.write_text("value = 1")
    assert load_config(config).value == 1
    assert sys.path[-1] == str(tmp_path)
