"""Spreading independent jobs over processes, forked or new ones."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

INTERRUPTED = 130
"""Status of a process that Ctrl-C ended, as shells have it."""

_POLL_SECONDS = 1.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class WorkerError(RuntimeError):
    """A worker process ended without an answer: killed, or out of memory."""


def run_forked(function: Callable[[Any], Any], jobs: Sequence[Any], workers: int = 1) -> Iterator[Any]:
    """Yields `function(job)` for every job, in order of completion.

    Workers are forked, so `function` may hold gigabytes of tables without copying or pickling them; results are
    pickled. With one worker everything runs in this process. The first error ends the other workers and is raised here.

    Args:
        function: called once per job.
        jobs: its arguments; worker w takes every `workers`-th one, beginning at w.
        workers: number of processes.

    Raises:
        WorkerError: a worker was killed.
    """
    return _run("fork", function, jobs, workers)


def run_spawned(function: Callable[[Any], Any], jobs: Sequence[Any], workers: int = 1) -> Iterator[Any]:
    """`run_forked` with processes that start from nothing: for libraries with threads of their own, such as OpenCV.

    `function` and its arguments are pickled, too.
    """
    return _run("spawn", function, jobs, workers)


def _run(method: str, function: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    context = multiprocessing.get_context(method)
    results = context.Queue()
    processes: list[BaseProcess] = [
        context.Process(target=_work, args=(function, jobs[first::workers], results), daemon=True)  # type: ignore[attr-defined]
        for first in range(workers)
    ]
    try:
        with _held_back_signals():  # by the processes, too, until each knows what to do about them
            for process in processes:
                process.start()
        for _ in jobs:
            result, error = _next_result(results, processes)
            if error is not None:
                raise error
            yield result
    finally:
        _end([process for process in processes if process.pid is not None])


def _end(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        while process.exitcode is None:
            process.join(_POLL_SECONDS)
            process.terminate()  # a signal that comes just before a system call that waits does not end the call


@contextmanager
def _held_back_signals() -> Iterator[None]:
    """Inside this block signals to stop wait; processes that are started here hold them back until `_work`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def _work(function: Callable[[Any], Any], jobs: Sequence[Any], results: Any) -> None:
    try:
        _on_signals(_interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        threading.Thread(target=_stop_with_parent, daemon=True).start()
        _work_through(function, jobs, results)
        _on_signals(_leave)  # results may wait in the pipe for a parent that doesn't want them any more
    except KeyboardInterrupt:
        _leave()


def _stop_with_parent() -> None:
    """Wait for the parent, which may be killed before it could end this process, and end in order then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_POLL_SECONDS)


def _on_signals(handler: Callable[..., None]) -> None:
    for number in _STOPPING:
        if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)  # a job in the background of a shell's script ignores Ctrl-C


def _interrupt(*_: Any) -> None:
    """End the job so that it removes what it was writing, which a second signal must not stop."""
    _on_signals(lambda *_: None)  # Python complains of a signal that waits when SIG_IGN is set
    raise KeyboardInterrupt


def _leave(*_: Any) -> None:
    os._exit(INTERRUPTED)  # Ctrl-C reaches the parent as well, which says so once


def _work_through(function: Callable[[Any], Any], jobs: Sequence[Any], results: Any) -> None:
    for job in jobs:
        try:
            results.put((function(job), None))
        except Exception as error:
            if hasattr(error, "add_note"):  # Python 3.11 and later; the parent's traceback ends at the queue.
                error.add_note(traceback.format_exc())
            results.put((None, error))
            return


def _next_result(results: Any, processes: Sequence[BaseProcess]) -> tuple[Any, Exception | None]:
    while True:
        try:
            return results.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            dead = [process for process in processes if process.exitcode not in (None, 0)]
            if dead:
                raise WorkerError(
                    f"a worker process ended with code {dead[0].exitcode}, most likely for lack of memory; "
                    "run again with fewer --workers: finished work is kept"
                ) from None
