from __future__ import annotations

import io
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.runner import set_random_seed
from toy_training import SAMPLES, Numbers, build

from bev.engine.random_state import RandomStateHook, random_state, restore_random_state, seed_worker


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


def test_workers_of_other_ranks_draw_other_numbers(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    drawn = []
    for rank in ("0", "1", "2"):
        monkeypatch.setenv("RANK", rank)
        torch.manual_seed(7)
        seed_worker(0)
        drawn.append(draw())
    assert len({number for numbers in drawn for number in numbers}) == 9


def test_other_ranks_start_from_other_numbers(monkeypatch):
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr("bev.engine.random_state.get_rank", lambda rank=rank: rank)
        monkeypatch.setattr("mmengine.runner.utils.get_rank", lambda rank=rank: rank)
        set_random_seed(3)
        RandomStateHook().before_train(SimpleNamespace(seed=3))
        drawn.append(draw())
    set_random_seed(3)
    assert drawn[0] == draw()
    assert not set(drawn[0]) & set(drawn[1])


class Lottery(BaseMetric):
    """Draws numbers where a validation does."""

    def process(self, data_batch, data_samples) -> None:
        self.results.append(float(torch.rand(())) + random.random() + np.random.rand())

    def compute_metrics(self, results: list) -> dict:
        return {"sum": sum(results)}


def test_a_validation_leaves_the_numbers_of_the_training_alone(tmp_path: Path) -> None:
    validation = dict(
        val_cfg=dict(),
        val_evaluator=[Lottery()],
        val_dataloader=dict(
            dataset=Numbers(),
            batch_size=4,
            num_workers=1,
            sampler=dict(type="DefaultSampler", shuffle=False),
            collate_fn=dict(type="default_collate"),
        ),
    )
    rows = {}
    for name, settings in {"without": {}, "with": validation, "resumed": validation}.items():
        if name == "resumed":
            settings = {**settings, "resume": True, "load_from": str(tmp_path / "with" / "epoch_1.pth")}
        runner, recorder = build(tmp_path / name, **settings)
        runner.train()
        rows[name] = recorder.rows
    assert rows["with"] == rows["without"]
    assert rows["resumed"] == rows["with"][SAMPLES // 2 :]
