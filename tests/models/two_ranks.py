"""Functions run by a process group of two on the CPU."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch

SECONDS = 60


def run_on_two_ranks(work: Callable[[int], None], folder: Path) -> None:
    """Calls `work` with its rank in each of two processes, and fails where one of them does or hangs."""
    context = multiprocessing.get_context("fork")  # no second import of torch
    ranks = [context.Process(target=_run, args=(work, rank, folder / "rendezvous"), daemon=True) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(timeout=SECONDS)
        process.kill()
    assert [process.exitcode for process in ranks] == [0, 0]


def _run(work: Callable[[int], None], rank: int, rendezvous: Path) -> None:
    torch.set_num_threads(1)  # the pool of threads stayed with the parent
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2, timeout=timedelta(seconds=SECONDS / 2)
    )
    work(rank)
