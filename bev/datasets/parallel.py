"""Spreading independent jobs over forked processes that share what the parent has loaded."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

INTERRUPTED = 130
"""Status of a process that Ctrl-C ended, as shells have it."""

_POLL_SECONDS = 1.0


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
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [
        context.Process(target=_work, args=(function, jobs[first::workers], results), daemon=True)
        for first in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        for _ in jobs:
            result, error = _next_result(results, processes)
            if error is not None:
                raise error
            yield result
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(function: Callable[[Any], Any], jobs: Sequence[Any], results: Any) -> None:
    try:
        _on_signals(_interrupt)
        _work_through(function, jobs, results)
        _on_signals(_leave)  # results may wait in the pipe for a parent that doesn't want them any more
    except KeyboardInterrupt:
        _leave()


def _on_signals(handler: Callable[..., None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


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
