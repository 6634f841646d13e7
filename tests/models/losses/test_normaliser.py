"""Tests of the loss normaliser, alone and in a process group of two."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import torch
import torch.distributed

from bev.models.losses import mean_over_ranks


def test_at_least_one_and_unchanged_alone() -> None:
    assert mean_over_ranks(0).item() == 1
    count = torch.tensor(7)
    assert mean_over_ranks(count).item() == 7


def test_mean_of_two_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")  # no second import of torch
    ranks = [context.Process(target=_reduce, args=(rank, tmp_path / "rendezvous"), daemon=True) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(timeout=60)
    assert [process.exitcode for process in ranks] == [0, 0]


def _reduce(rank: int, rendezvous: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    count = torch.tensor(3.0 + 4 * rank)
    assert mean_over_ranks(count).item() == 5
    assert count.item() == 3 + 4 * rank
