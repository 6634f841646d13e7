from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from bev.engine.start import choose_start, start_from


def experiment(work_dir: Path, **settings) -> Config:
    return Config({"work_dir": str(work_dir), "resume": False, "load_from": None, **settings})


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A work dir with a checkpoint."""
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "epoch_1.pth"))
    return tmp_path


def test_the_last_checkpoint_comes_before_the_weights_of_a_config(begun: Path) -> None:
    config = experiment(begun, load_from="weights.pth")
    choose_start(config, "auto")
    assert (config.resume, config.load_from) == (True, None)


def test_without_a_checkpoint_a_training_starts_from_the_weights_of_a_config(tmp_path: Path) -> None:
    config = experiment(tmp_path, load_from="weights.pth")
    choose_start(config, "auto")
    assert (config.resume, config.load_from) == (False, "weights.pth")


def test_without_a_checkpoint_a_training_starts_from_given_weights(tmp_path: Path) -> None:
    config = experiment(tmp_path)
    choose_start(config, "auto", "weights.pth")
    assert not config.resume
    assert config.custom_hooks == [dict(type="InitialWeightsHook", checkpoint="weights.pth")]


@pytest.mark.parametrize("there", [True, False])
def test_a_config_may_ask_to_resume(begun: Path, there: bool) -> None:
    config = experiment(begun if there else begun / "other", resume=True)
    choose_start(config)
    assert (config.resume, config.load_from) == (there, None)


def test_a_config_that_names_what_to_resume_stays(tmp_path: Path) -> None:
    config = experiment(tmp_path, resume=True, load_from="some.pth")
    choose_start(config)
    assert (config.resume, config.load_from) == (True, "some.pth")


def test_a_file_to_resume_comes_first(begun: Path) -> None:
    config = experiment(begun, load_from="weights.pth")
    choose_start(config, "some.pth", "others.pth")
    assert (config.resume, config.load_from) == (True, "some.pth")
    assert "custom_hooks" not in config


def test_nothing_is_resumed_unasked(begun: Path) -> None:
    config = experiment(begun, load_from="weights.pth")
    choose_start(config)
    assert (config.resume, config.load_from) == (False, "weights.pth")


def test_first_weights_go_through_the_hook_that_a_config_has() -> None:
    config = Config(dict(custom_hooks=[dict(type="InitialWeightsHook", checkpoint=None, ignore=("head.",))]))
    start_from(config, "first.pth")
    assert config.custom_hooks == [dict(type="InitialWeightsHook", checkpoint="first.pth", ignore=("head.",))]


def test_first_weights_need_no_hook_in_a_config() -> None:
    config = Config(dict(custom_hooks=[dict(type="RandomStateHook")]))
    start_from(config, "first.pth")
    assert config.custom_hooks[1:] == [dict(type="InitialWeightsHook", checkpoint="first.pth")]


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, True),
        ({"load_from": "weights.pth"}, False),
        ({"custom_hooks": [dict(type="InitialWeightsHook", checkpoint=None)]}, True),
        ({"custom_hooks": [dict(type="InitialWeightsHook", checkpoint="weights.pth")]}, False),
        ({"model": dict(backbone=dict(frozen_stages=1, init_cfg=dict(type="SafePretrained")))}, False),
        ({"model": dict(backbone=dict(frozen_stages=-1))}, False),
        ({"model": dict(backbone=dict(type="InternImage"))}, False),
    ],
)
def test_frozen_random_weights_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: dict, warned: bool
) -> None:
    MMLogger.get_instance("test_start").addHandler(caplog.handler)
    choose_start(experiment(tmp_path, **{"model": dict(backbone=dict(frozen_stages=1)), **settings}))
    assert ("first stages are frozen" in caplog.text) == warned
