from __future__ import annotations

import io
import random

import numpy as np
import torch

from bev.engine.random_state import random_state, restore_random_state, seed_worker


def draw() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def test_generators_continue_after_a_round_trip_through_a_weights_only_file():
    draw()
    stream = io.BytesIO()
    torch.save(random_state(), stream)
    expected = draw()
    draw()
    stream.seek(0)
    restore_random_state(torch.load(stream, weights_only=True))
    assert draw() == expected


def test_workers_are_seeded_from_torch(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    torch.manual_seed(7)
    seed_worker(0)
    first = [random.random(), float(np.random.rand())]
    torch.manual_seed(8)
    seed_worker(0)
    assert [random.random(), float(np.random.rand())] != first
    torch.manual_seed(7)
    seed_worker(0)
    assert [random.random(), float(np.random.rand())] == first
