from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

import bev
from bev.engine.config import ConfigError, find_registered, load_config, set_data_root, test_dataset

CONFIGS = Path(__file__).parents[2] / "configs"
NANO = CONFIGS / "bevformerv2_internimage_nano_synthetic.py"


@pytest.fixture(scope="module", autouse=True)
def registered():
    bev.register_all()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_config_names_only_arguments_that_exist(path):
    config = load_config(path)
    assert config.model.type == "BEVPerceptor"


def test_override_of_an_existing_key():
    assert load_config(NANO, {"model.encoder.num_layers": 3}).model.encoder.num_layers == 3


def test_override_of_an_argument_that_the_config_leaves_at_its_default():
    assert load_config(NANO, {"model.train_history": True}).model.train_history is True


def test_override_into_a_list():
    assert load_config(NANO, {"train_pipeline.1.flip": 0.0}).train_pipeline[1].flip == 0.0


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.encoder.num_layer", "did you mean num_layers"),
        ("trian_cfg.max_epochs", "did you mean train_cfg"),
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


def test_a_data_root_for_all_parts():
    config = load_config(NANO)
    set_data_root(config, "elsewhere")
    assert config.train_dataloader.dataset.data_root == config.val_evaluator.data_root == "elsewhere"


def test_data_sets_keep_their_folders_under_another_root():
    config = load_config(CONFIGS / "bevformerv2_internimage_nano_mixed_synthetic.py")
    set_data_root(config, "elsewhere")
    for members in (config.train_dataloader.dataset.datasets, config.val_dataloader.dataset.datasets):
        assert [member.data_root for member in members] == ["elsewhere/synthetic", "elsewhere/synthetic_waymo"]
    assert [part.data_root for part in config.test_evaluator] == ["elsewhere/synthetic", "elsewhere/synthetic_waymo"]
    assert test_dataset(config).data_root == "elsewhere/synthetic"


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


def test_data_root_moves_the_paths_under_it():
    config = Config(
        dict(
            data_root="data/coco/",
            loader=dict(dataset=dict(data_root="data/coco/", ann_file="annotations/a.json")),
            evaluators=[dict(ann_file="data/coco/annotations/a.json"), dict(other="data/coconut/a.json")],
        )
    )
    set_data_root(config, "/mnt/coco")
    assert config.loader.dataset == dict(data_root="/mnt/coco", ann_file="annotations/a.json")
    assert config.evaluators == [dict(ann_file="/mnt/coco/annotations/a.json"), dict(other="data/coconut/a.json")]
