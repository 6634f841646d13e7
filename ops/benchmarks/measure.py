"""Times and peak memory of calls, and what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity, profile


def _synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def best_milliseconds(
    calls: Sequence[Callable[[], object]], device: str, rounds: int, seconds: float = 0.1
) -> list[float]:
    """Best time of each call.

    The calls take turns, so that other work on the machine disturbs all alike. A turn lasts at least `seconds`, so that
    a call finds the caches and the allocator as it left them itself.
    """
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for index, call in enumerate(calls):
            _synchronise(device)
            turn = time.perf_counter()
            while True:
                start = time.perf_counter()
                call()
                _synchronise(device)
                end = time.perf_counter()
                best[index] = min(best[index], 1e3 * (end - start))
                if end - turn > seconds:
                    break
    return best


def peak_bytes(call: Callable[[], object], device: str) -> int:
    """Most memory that a call holds at once in tensors, beyond what was there before it.

    On the CPU from the allocations that the profiler sees: unlike the process's size, they don't depend on what the
    allocator keeps from earlier calls.
    """
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


@dataclass(frozen=True)
class Machine:
    """What plain operations reach: multiplications of matrices, and copies (reads plus writes)."""

    gflops: float
    gigabytes_per_second: float


def machine(device: str, rounds: int = 3) -> Machine:
    """Rates of a 2048 x 2048 x 2048 float32 product and of a copy of 256 MiB."""
    size = 2048
    a, b = torch.randn(2, size, size, device=device)
    source = torch.randn(64 << 20, device=device)
    target = torch.empty_like(source)
    product, copy = best_milliseconds([lambda: a @ b, lambda: target.copy_(source)], device, rounds)
    return Machine(2e-6 * size**3 / product, 2e-6 * source.nbytes / copy)
