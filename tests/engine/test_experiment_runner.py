from __future__ import annotations

import pytest
from toy_training import build

from bev.engine.epoch_loop import ContinuableEpochLoop
from bev.errors import InputError


@pytest.mark.parametrize(("batch_size", "iterations", "lr"), [(2, 1, 0.1), (2, 3, 0.3), (1, 2, 0.1), (4, 1, 0.2)])
def test_the_learning_rate_follows_the_samples_of_a_step(tmp_path, batch_size: int, iterations: int, lr: float) -> None:
    optimizer = dict(optimizer=dict(type="SGD", lr=0.1), accumulative_counts=iterations)
    runner, _ = build(tmp_path, batch_size, optim_wrapper=optimizer)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    assert runner.optim_wrapper.get_lr()["lr"] == [pytest.approx(lr)]


@pytest.mark.parametrize("scaling", [None, {"enable": False, "base_batch_size": 1}])
def test_the_learning_rate_stays_without_the_switch(tmp_path, scaling: dict | None) -> None:
    runner, _ = build(tmp_path)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, scaling)
    assert runner.optim_wrapper.get_lr()["lr"] == [0.1]


def test_a_missing_base_is_refused(tmp_path) -> None:
    runner, _ = build(tmp_path, auto_scale_lr={"enable": True})
    with pytest.raises(InputError, match="auto_scale_lr needs a base_batch_size"):
        runner.train()


@pytest.mark.parametrize("kind", [{"type": "EpochBasedTrainLoop"}, {"by_epoch": True}])
def test_loops_by_epochs_can_start_within_one(tmp_path, kind: dict) -> None:
    runner, _ = build(tmp_path, train_cfg=dict(kind, max_epochs=2, val_interval=3))
    assert isinstance(runner.train_loop, ContinuableEpochLoop)
    assert (runner.train_loop.max_epochs, runner.train_loop.val_interval) == (2, 3)


def test_what_no_config_can_change_is_not_warned_of(tmp_path, capsys) -> None:
    runner, _ = build(tmp_path, epochs=1)
    runner.train()
    runner.logger.warning("something else")
    shown = capsys.readouterr()
    assert "something else" in shown.out + shown.err
    assert "FileClient" not in shown.out + shown.err
