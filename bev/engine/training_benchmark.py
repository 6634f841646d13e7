"""What a training step of one config costs, alone or beside a step of another, measured in turns."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from bev.benchmark_record import BenchmarkRecord
from bev.engine.runner import build_runner
from bev.errors import InputError

WARM_UP = 5  # steps of each config that are not counted


@dataclass(frozen=True)
class TrainingRecord(BenchmarkRecord):
    """Medians over the steps.

    Attributes:
        steps: Counted steps of each config.
        seconds: One step: waiting for its batch, forward, losses, backward, optimizer.
        reference_seconds: The same with the other config, if there is one.
        ratio: Median over pairs of consecutive steps of the first config's time over the other's, which a machine that
            slows down now and then changes less than it changes the quotient of medians.
        peak_bytes: Most memory that tensors held on the GPU at once, those of both models; None without a GPU.
    """

    steps: int
    seconds: float
    reference_seconds: float | None
    ratio: float | None
    peak_bytes: int | None


def measure_training(config: Config, reference: Config | None, steps: int) -> TrainingRecord:
    """Trains a model, or two in turns, one step each, on their own data from the same seed.

    Args:
        config: A whole experiment, as from `load_config`.
        reference: Another, to compare with.
        steps: Steps of each that count.

    Raises:
        InputError: If `steps` is not positive.
    """
    if steps < 1:
        raise InputError(f"steps must be at least 1, not {steps}")
    with tempfile.TemporaryDirectory() as folder:
        configs = [config] if reference is None else [config, reference]
        trained = [_steps(each, f"{folder}/{number}") for number, each in enumerate(configs)]
        times = np.array([[next(each) for each in trained] for _ in tqdm(range(WARM_UP + steps), desc="steps")])
        for each in trained:
            each.close()
    times = times[WARM_UP:]
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    medians = np.median(times, axis=0).tolist()
    if reference is None:
        return TrainingRecord(steps, medians[0], None, None, peak)
    ratio = float(np.median(times[:, 0] / times[:, 1]))
    return TrainingRecord(steps, medians[0], medians[1], ratio, peak)


def _steps(config: Config, work_dir: str) -> Generator[float, None, None]:
    """Seconds of one training step after the other, without end."""
    config = copy.deepcopy(config)
    config.work_dir = work_dir
    config.log_level = "WARNING"
    config.experiment_name = f"benchmark_{work_dir.rpartition('/')[2]}"
    config.setdefault("randomness", {}).setdefault("seed", 0)
    runner = build_runner(config)
    optim_wrapper = runner.build_optim_wrapper(config.optim_wrapper)
    loader = runner.build_dataloader(config.train_dataloader, seed=runner.seed)
    runner.model.train()
    batches = iter(loader)
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        runner.model.train_step(batch, optim_wrapper)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        yield time.perf_counter() - start
