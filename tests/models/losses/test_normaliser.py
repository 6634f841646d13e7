"""Tests of the loss normaliser, alone and in a process group of two."""

from __future__ import annotations

from pathlib import Path

import torch
from two_ranks import run_on_two_ranks

from bev.models.losses import mean_over_ranks, without_other_ranks


def test_at_least_the_minimum_and_unchanged_alone() -> None:
    assert mean_over_ranks(0).item() == 1
    assert mean_over_ranks(0, minimum=0.5).item() == 0.5
    count = torch.tensor(7)
    assert mean_over_ranks(count).item() == 7


def test_mean_of_two_processes(tmp_path: Path) -> None:
    run_on_two_ranks(_reduce, tmp_path)


def _reduce(rank: int) -> None:
    count = torch.tensor(3.0 + 4 * rank)
    if rank == 1:
        with without_other_ranks():
            assert mean_over_ranks(count).item() == 7
    assert mean_over_ranks(count).item() == 5
    assert count.item() == 3 + 4 * rank
