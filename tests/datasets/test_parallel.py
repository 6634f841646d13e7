from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bev.datasets.parallel import WorkerError, run_forked, run_spawned


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


@pytest.mark.parametrize("run", ["run_forked", "run_spawned"])
def test_workers_end_with_their_parent(tmp_path: Path, run: str):
    (tmp_path / "jobs.py").write_text(
        """
import pathlib, time
from bev.datasets import parallel

def work(job):
    pathlib.Path(f"{job}.begun").touch()
    try:
        time.sleep(job)
    finally:
        pathlib.Path(f"{job}.left").touch()
    return job

if __name__ == "__main__":
    for done in parallel.RUN(work, [0, 900, 900, 901], workers=2):
        print(done, flush=True)
""".replace("RUN", run)
    )
    parent = subprocess.Popen(
        [sys.executable, "jobs.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout.readline() == b"0\n"
    wait_for(tmp_path / "900.begun")
    parent.kill()
    parent.wait()
    wait_for(tmp_path / "900.left")
    assert not (tmp_path / "901.begun").exists()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_new_processes_do_the_same():
    assert sorted(run_spawned(abs, [-1, 2, -3], workers=2)) == [1, 2, 3]
    with pytest.raises(ValueError, match="math domain error"):
        list(run_spawned(math.sqrt, [1.0, -1.0], workers=2))


def test_no_jobs():
    assert list(run_forked(abs, [], workers=4)) == []
