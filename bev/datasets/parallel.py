"""Spreading independent jobs over forked processes that share what the parent has loaded."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import queue
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

INTERRUPTED = 130
"""Status of a process that Ctrl-C ended, as shells have it."""

_POLL_SECONDS = 1.0
_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class WorkerError(RuntimeError):
    """A worker process ended without an answer: killed, out of memory, or made to exit by its job."""


def run_forked(function: Callable[[Any], Any], jobs: Sequence[Any], workers: int = 1) -> Iterator[Any]:
    """Yields `function(job)` for every job, in order of completion.

    Workers are forked, so `function` may hold gigabytes of tables without copying or pickling them; results are
    pickled. With one worker everything runs in this process. The first error ends the other workers and is raised here;
    one that can't be pickled comes as a RuntimeError that names it. Ctrl-C ends a worker's job in order, so that it
    removes what it was writing. Workers of a parent that was killed end with their job.

    Args:
        function: called once per job.
        jobs: its arguments; a worker that is done takes the next one.
        workers: number of processes.

    Raises:
        WorkerError: a worker was killed, or exited without an answer.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    arguments = (function, jobs, _Counter(context.Lock()), results, os.getpid())
    processes = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(workers)]
    try:
        with _single_threaded_opencv(), _held_back_signals():
            for process in processes:
                process.start()
        for _ in jobs:
            result, error = _next_result(results, processes)
            if error is not None:
                raise error
            yield result
    finally:
        _end([process for process in processes if process.pid is not None])


class _Counter:
    """Numbers from 0 on, each of which one of several forked processes gets.

    Args:
        lock: Of the processes' context.
    """

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._next = mmap.mmap(-1, 8)  # forked processes share it, and unlike multiprocessing.Value it is in no file

    def take(self) -> int:
        """The next number."""
        with self._lock:
            number = int.from_bytes(self._next[:], "little")
            self._next[:] = (number + 1).to_bytes(8, "little")
        return number


def _end(processes: Sequence[BaseProcess]) -> None:
    """Ends the processes, and again until they have: Python does not see a signal just before a call that blocks."""
    for process in processes:
        process.terminate()
    for process in processes:
        while process.is_alive():
            process.join(_POLL_SECONDS)
            process.terminate()


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Inside this block OpenCV has no threads of its own, nor have processes that are forked here: they share cores."""
    import cv2  # takes long to import; not every user of this module forks

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def _held_back_signals() -> Iterator[None]:
    """Inside this block signals wait; processes that are started here hold them back until `_work`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(function: Callable[[Any], Any], jobs: Sequence[Any], counter: _Counter, results: Any, parent: int) -> None:
    try:
        _on_signals(_interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _work_through(function, jobs, counter, results, parent)
        _on_signals(_leave)  # results may wait in the pipe for a parent that doesn't want them any more
    except KeyboardInterrupt:
        _leave()


def _on_signals(handler: Callable[..., None]) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)


def _interrupt(*_: Any) -> None:
    """End the job so that it removes what it was writing, which a second signal must not stop."""
    _on_signals(lambda *_: None)  # Python complains of a signal that waits when SIG_IGN is set
    raise KeyboardInterrupt


def _leave(*_: Any) -> None:
    os._exit(INTERRUPTED)  # Ctrl-C reaches the parent as well, which says so once


def _work_through(
    function: Callable[[Any], Any], jobs: Sequence[Any], counter: _Counter, results: Any, parent: int
) -> None:
    while (number := counter.take()) < len(jobs):
        if os.getppid() != parent:
            _leave()
        try:
            answer = pickle.dumps((function(jobs[number]), None))
        except Exception as error:
            results.put(_pickled_error(error))
            return
        results.put(answer)  # bytes: the queue's own thread would drop what it can't pickle


def _pickled_error(error: Exception) -> bytes:
    """The error as an answer, with its traceback where errors can have notes; the parent's ends at the queue."""
    trace = traceback.format_exc()
    if not _survives_pickling(error):
        error = RuntimeError("".join(traceback.format_exception_only(error)).strip())
    if hasattr(error, "add_note"):  # Python 3.11 and later
        error.add_note(trace)
    return pickle.dumps((None, error))


def _survives_pickling(error: Exception) -> bool:
    """Whether the parent gets such an error: it may hold a lock, or take other arguments than those that it keeps."""
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False


def _next_result(results: Any, processes: Sequence[BaseProcess]) -> tuple[Any, Exception | None]:
    have_ended = False
    while True:
        try:
            answer = results.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            dead = [process for process in processes if process.exitcode not in (None, 0)]
            if dead:
                raise WorkerError(
                    f"a worker process ended with code {dead[0].exitcode}, most likely for lack of memory; "
                    "run again with fewer --workers: finished work is kept"
                ) from None
            if have_ended:
                raise WorkerError(
                    "the worker processes ended before every job was done: a job made its process exit; run again with "
                    "one worker to see which: finished work is kept"
                ) from None
            # A worker ends once its answers are in the pipe, perhaps just after the wait above: they are read first.
            have_ended = all(process.exitcode is not None for process in processes)
        else:
            return pickle.loads(answer)
