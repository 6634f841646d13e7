from __future__ import annotations

import os
import signal
import time

import pytest

from bev.datasets.parallel import WorkerError, run_forked


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_every_job_is_done_once(workers: int):
    table = {i: i * i for i in range(7)}  # Lives in the parent only; a forked worker sees it.
    assert sorted(run_forked(lambda i: table[i], range(7), workers)) == sorted(table.values())


def test_work_really_happens_in_other_processes():
    parents = set(run_forked(lambda _: os.getpid(), range(4), workers=2))
    assert len(parents) == 2
    assert os.getpid() not in parents


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_is_raised_here(workers: int):
    def fail(job: int) -> int:
        if job == 2:
            raise OSError(28, "no space for job 2")
        return job

    with pytest.raises(OSError, match="no space for job 2") as caught:
        list(run_forked(fail, range(4), workers))
    assert caught.value.errno == 28


def test_a_killed_worker_does_not_hang_the_run():
    with pytest.raises(WorkerError, match="code -9"):
        list(run_forked(lambda job: os.kill(os.getpid(), signal.SIGKILL) if job else job, range(2), workers=2))


def test_an_interrupted_worker_is_told_once(capfd: pytest.CaptureFixture):
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(WorkerError, match="code 130"):
        list(run_forked(interrupted, range(2), workers=2))
    assert "Traceback" not in capfd.readouterr().err


def test_an_answer_that_nobody_takes_is_left_in_silence(capfd: pytest.CaptureFixture):
    def answer(job: int) -> bytes:
        time.sleep(0.2 * job)
        return b"x" * (10_000_000 * job)  # more than a pipe holds: the worker waits at its end for a reader

    answers = run_forked(answer, range(2), workers=2)
    assert next(answers) == b""
    time.sleep(0.6)
    answers.close()
    assert capfd.readouterr().err == ""


def test_no_jobs():
    assert list(run_forked(abs, [], workers=4)) == []
