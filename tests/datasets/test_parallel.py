from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import pytest
from tool_runs import hear_interrupts

from bev.datasets.parallel import WorkerError, run_forked

LONG = """
import os, sys, time
from bev.datasets.parallel import run_forked

def work(job):
    open(os.path.join(sys.argv[1], f"{job}-{os.getpid()}"), "w").close()
    time.sleep(float(sys.argv[2]) if job else 0)

for _ in run_forked(work, range(5), 2):
    print("first", flush=True)
"""


def start_long(folder: Path, seconds: float) -> subprocess.Popen:
    """A program of five jobs that take so long, but for the first, in two workers; it has done the first."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, str(folder), str(seconds)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_interrupts,
    )  # fmt: skip
    assert process.stdout.readline() == "first\n"
    return process


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_every_job_is_done_once(workers: int):
    table = {i: i * i for i in range(7)}  # Lives in the parent only; a forked worker sees it.
    assert sorted(run_forked(lambda i: table[i], range(7), workers)) == sorted(table.values())


def test_work_really_happens_in_other_processes():
    both_work = multiprocessing.get_context("fork").Barrier(2)

    def work(_: int) -> int:
        both_work.wait(timeout=300)
        return os.getpid()

    workers = set(run_forked(work, range(2), workers=2))
    assert len(workers) == 2
    assert os.getpid() not in workers


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_is_raised_here(workers: int):
    def fail(job: int) -> int:
        if job == 2:
            raise OSError(28, "no space for job 2")
        return job

    with pytest.raises(OSError, match="no space for job 2") as caught:
        list(run_forked(fail, range(4), workers))
    assert caught.value.errno == 28


class LockedError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class PathError(Exception):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def test_an_error_that_cannot_be_pickled_is_told():
    def fail(_: int) -> None:
        raise LockedError("no connection")

    with pytest.raises(RuntimeError, match=r"LockedError: no connection") as caught:
        list(run_forked(fail, range(2), workers=2))
    if sys.version_info >= (3, 11):
        assert "in fail" in caught.value.__notes__[-1]


def test_an_error_made_from_other_values_than_it_holds_is_told():
    def fail(_: int) -> None:
        raise PathError("a.jpg", "no such file")

    with pytest.raises(RuntimeError, match=r"PathError: a\.jpg: no such file"):
        list(run_forked(fail, range(2), workers=2))


def test_a_result_that_cannot_be_pickled_is_told():
    with pytest.raises(TypeError, match="cannot pickle"):
        list(run_forked(lambda _: threading.Lock(), range(2), workers=2))


def test_a_job_that_exits_does_not_hang_the_run():
    with pytest.raises(WorkerError, match="before every job was done"):
        list(run_forked(lambda job: sys.exit(0) if job else job, range(3), workers=2))


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


def test_a_long_job_does_not_hold_up_the_others() -> None:
    others_done = multiprocessing.get_context("fork").Event()

    def work(job: int) -> bool:
        if job == 4:
            others_done.set()
        return job > 0 or others_done.wait(timeout=300)

    assert all(run_forked(work, range(5), workers=2))


def test_opencv_takes_one_thread_in_each_worker() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        assert list(run_forked(lambda _: cv2.getNumThreads(), range(2), workers=2)) == [1, 1]
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_ctrl_c_ends_the_workers_with_the_jobs_that_wait(tmp_path: Path) -> None:
    process = start_long(tmp_path, 900.0)
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert time.monotonic() - begin < 300, "the workers went on with the next jobs"
    assert err.count("Traceback (most recent call last)") == 1, "the parent's own, which no tool caught"
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    process = start_long(tmp_path, 5.0)
    process.kill()
    process.communicate(timeout=600)  # both workers hold the ends of its pipes open until they end, too
    started = sorted(int(path.name.partition("-")[0]) for path in tmp_path.iterdir())
    assert 4 not in started, started
