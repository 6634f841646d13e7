"""What the exporters share: jobs in processes of their own, and the scenes that were generated."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from bev.datasets.atomic import atomic_write
from bev.datasets.parallel import INTERRUPTED
from bev.datasets.text_files import TextFileError, read_json, shorten
from bev.errors import InputError

from .scene import Scene
from .world import build_scene

SHARDS = "scenes"
"""Folder in that of the tables with a file per finished scene: its recipe and its rows."""


def check_counts(scenes: int, val_scenes: int, frames: int, workers: int) -> None:
    """Refuses numbers that make no sense.

    Raises:
        InputError: There would be no scene, no frame or no process.
    """
    if scenes < 0 or val_scenes < 0 or scenes + val_scenes < 1:
        raise InputError(f"there must be at least one scene, got {scenes} training and {val_scenes} held-out scenes")
    if frames < 1 or workers < 1:
        raise InputError(f"frames and workers must be at least 1, got {frames} and {workers}")


def run_jobs(work: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """Runs jobs in processes and yields what they return, in order of completion."""
    if workers == 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=_start_worker) as pool:
        with _held_back_interrupt():  # by the processes, too, until each has been started whole
            futures = [pool.submit(_run, work, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _held_back_interrupt() -> Iterator[None]:
    """Inside this block Ctrl-C waits; processes that are started here hold it back until `_start_worker`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches the parent as well, which says so once.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _run(work: Callable[[Any], Any], job: Any) -> Any:
    """The job's result; Ctrl-C ends the job in order, so that it removes what it was writing, and then this process."""
    idle = signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))
    try:
        return work(job)
    except SystemExit:
        os._exit(INTERRUPTED)  # the pool would go on with the jobs that wait in its queue
    finally:
        signal.signal(signal.SIGINT, idle)


def finished_shards(root: str | Path, version: str) -> list[Path]:
    """Files of the generated scenes, by name.

    Raises:
        FileNotFoundError: The data set was not generated here.
    """
    folder = Path(root) / version / SHARDS
    shards = sorted(folder.glob("*.json"))
    if not shards:
        raise FileNotFoundError(f"{folder}: no generated scenes; make the world first")
    return shards


def read_shard(path: str | Path) -> dict[str, Any]:
    """A finished scene: its recipe, and its rows of each table.

    Raises:
        TextFileError: The file is damaged.
    """
    advice = "make the world again, which keeps its other scenes"
    shard = read_json(path, dict, advice)
    if not all(isinstance(shard.get(key), dict) for key in ("recipe", "tables")):
        raise TextFileError(f"{path}: expected the objects 'recipe' and 'tables', found {shorten(shard)}; {advice}")
    return shard


def scene_of(recipe: dict[str, Any]) -> Scene:
    """The scene that was made by a recipe."""
    return build_scene(recipe["name"], tuple(recipe["seed"]), recipe["frames"], tuple(recipe["image_size"]))


def write_json(path: Path, content: dict | list) -> None:
    """Writes a file as a whole or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(content, file)
