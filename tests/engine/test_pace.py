from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from toy_training import SCHEDULES, build

from bev.engine.checkpoint import safe_load
from bev.errors import InputError

BY_ITERATION = dict(type="IterBasedTrainLoop", max_iters=8)


def trained(work_dir: Path, **settings) -> str:
    """Path of the checkpoint of a run's end."""
    runner, _ = build(work_dir, **settings)
    runner.train()
    return (work_dir / "last_checkpoint").read_text()


def test_checkpoints_tell_the_pace(tmp_path: Path) -> None:
    runner, _ = build(tmp_path, batch_size=4, epochs=1, optim_wrapper=dict(
        optimizer=dict(type="SGD", lr=0.1), accumulative_counts=3,
    ))  # fmt: skip
    runner.train()
    assert safe_load(tmp_path / "epoch_1.pth")["meta"]["pace"] == {
        "samples_per_iteration": 4, "iterations_per_step": 3, "iterations_per_epoch": 3,
    }  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 4, 5])
def test_a_run_at_another_batch_size_goes_on_as_if_it_had_had_it_always(tmp_path: Path, batch_size: int) -> None:
    whole, expected = build(tmp_path / "whole", batch_size)
    whole.train()
    checkpoint = trained(tmp_path / "other", epochs=1)
    resumed, found = build(tmp_path / "resumed", batch_size, resume=True, load_from=checkpoint)
    resumed.train()
    assert found.rows[0][0] == 1
    assert [row[:4] for row in found.rows] == [row[:4] for row in expected.rows if row[0] > 0]
    assert [row[4] for row in found.rows] == pytest.approx([row[4] for row in expected.rows if row[0] > 0])


def test_moments_of_the_optimizer_stay(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "other", epochs=1)
    resumed, _ = build(tmp_path / "resumed", 4, resume=True, load_from=checkpoint)
    resumed.train_loop  # noqa: B018 - builds it
    resumed.optim_wrapper = resumed.build_optim_wrapper(resumed.optim_wrapper)
    resumed.param_schedulers = resumed.build_param_scheduler(resumed.param_schedulers)
    resumed.load_or_resume()
    own = resumed.optim_wrapper.optimizer.state_dict()["state"]
    for number, state in safe_load(checkpoint)["optimizer"]["state"].items():
        torch.testing.assert_close(own[number]["momentum_buffer"], state["momentum_buffer"])


def test_the_end_of_an_epoch_by_iterations_is_one_at_another_batch_size(tmp_path: Path) -> None:
    whole, expected = build(tmp_path / "whole", 4)
    whole.train()
    trained(tmp_path / "other", epochs=1, checkpoints={"by_epoch": False, "interval": 3})
    checkpoint = str(tmp_path / "other" / "iter_6.pth")
    resumed, found = build(tmp_path / "resumed", 4, resume=True, load_from=checkpoint)
    resumed.train()
    assert [row[:4] for row in found.rows] == [row[:4] for row in expected.rows if row[0] > 0]
    assert [row[4] for row in found.rows] == pytest.approx([row[4] for row in expected.rows if row[0] > 0])


def test_other_batches_within_an_epoch_are_refused(tmp_path: Path) -> None:
    trained(tmp_path / "other", epochs=1, checkpoints={"by_epoch": False, "interval": 4})
    runner, _ = build(tmp_path, 4, resume=True, load_from=str(tmp_path / "other" / "iter_4.pth"))
    with pytest.raises(InputError) as caught:
        runner.train()
    text = str(caught.value)
    assert "iter_4.pth is of a run with 2 samples per iteration x 1 per step x 6 iterations per epoch" in text
    assert "this run has 4 samples per iteration x 1 per step x 3 iterations per epoch" in text
    assert text.endswith("or start a new run with --load-from")


def test_a_run_by_iterations_keeps_its_pace(tmp_path: Path) -> None:
    settings = dict(train_cfg=BY_ITERATION, param_scheduler=SCHEDULES[:1])
    checkpoint = trained(tmp_path / "first", checkpoints={"by_epoch": False, "interval": 4}, **settings)
    same, _ = build(tmp_path / "same", resume=True, load_from=checkpoint, **settings)
    same.train()
    other, _ = build(tmp_path / "other", 4, resume=True, load_from=checkpoint, **settings)
    with pytest.raises(InputError, match="only a run that counts epochs can change"):
        other.train()


def test_a_schedule_that_follows_metrics_keeps_its_pace(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "first", epochs=1)
    schedule = [dict(type="ReduceOnPlateauLR", monitor="loss", by_epoch=True)]
    runner, _ = build(tmp_path, 4, resume=True, load_from=checkpoint, param_scheduler=schedule)
    with pytest.raises(InputError, match="a schedule that follows metrics"):
        runner.train()


def test_a_place_that_a_checkpoint_without_pace_cannot_tell_is_refused(tmp_path: Path) -> None:
    content = safe_load(trained(tmp_path / "first", epochs=1))
    del content["meta"]["pace"]
    torch.save(content, tmp_path / "without.pth")
    same, recorder = build(tmp_path / "same", resume=True, load_from=str(tmp_path / "without.pth"))
    same.train()
    assert recorder.rows[0][:2] == (1, 6)
    other, _ = build(tmp_path / "other", 4, resume=True, load_from=str(tmp_path / "without.pth"))
    with pytest.raises(InputError, match=r"without\.pth was made at iteration 6 in epoch 2.*3 iterations per epoch"):
        other.train()


def test_the_log_tells_the_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = trained(tmp_path / "first", epochs=1)
    runner, _ = build(tmp_path, 4, resume=True, load_from=checkpoint, log_level="INFO")
    runner.logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        runner.train()
    assert "resumed with 4 samples per iteration x 1 per step x 3 iterations per epoch in place of 2" in caplog.text
