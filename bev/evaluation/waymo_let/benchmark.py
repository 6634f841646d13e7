"""How long the Waymo metrics take and what they need, beside a plain formulation with shapely and SciPy."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bev.benchmark_record import BenchmarkRecord
from bev.evaluation.waymo_let.config import MetricConfig, ObjectType
from bev.evaluation.waymo_let.frames import split_frames
from bev.evaluation.waymo_let.metrics import Accumulator, accumulate, detection_metrics
from bev.evaluation.waymo_let.reference import reference_counts

SHARES = {ObjectType.VEHICLE: 0.6, ObjectType.PEDESTRIAN: 0.3, ObjectType.CYCLIST: 0.1}
SIZES = {
    ObjectType.VEHICLE: (4.6, 2.0, 1.7),
    ObjectType.PEDESTRIAN: (0.8, 0.8, 1.7),
    ObjectType.CYCLIST: (1.8, 0.8, 1.7),
}
"""Length, width, height, metres."""

NOISE = (0.8, 0.8, 0.1, 0.2, 0.05, 0.05, 0.2)
"""Standard deviations of predicted boxes: metres, the heading in radians."""


@dataclass(frozen=True)
class MetricsRecord(BenchmarkRecord):
    """One evaluation.

    Attributes:
        frames: Evaluated.
        objects: Ground truths per frame.
        predictions: Per frame.
        workers: Processes.
        seconds: From arrays to metrics, with compiled code.
        peak_bytes: Memory of all processes together, what they share counted once, sampled while they ran; NaN where
            the system doesn't tell.
        reference_frames: Evaluated by the plain formulation as well, in one process.
        seconds_per_frame: Of the fast one, in one process.
        reference_seconds_per_frame: Of the plain one.
        largest_difference: Between counts and sums of the two.
    """

    frames: int
    objects: int
    predictions: int
    workers: int
    seconds: float
    peak_bytes: float
    reference_frames: int
    seconds_per_frame: float
    reference_seconds_per_frame: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """How many times faster than the plain formulation one frame is."""
        return self.reference_seconds_per_frame / self.seconds_per_frame


def synthetic_objects(frames: int, objects: int, each: int, seed: int = 0) -> tuple[dict, dict]:
    """Predictions and ground truths, as `detection_metrics` takes them.

    Args:
        frames: How many.
        objects: Ground truths per frame, anywhere in a square of 150 m.
        each: Noisy predictions of every ground truth, with random scores.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    number = frames * objects
    types = rng.choice([int(kind) for kind in SHARES], number, p=list(SHARES.values()))
    boxes = np.zeros((number, 7))
    boxes[:, :2] = rng.uniform(-75, 75, (number, 2))
    boxes[:, 2] = rng.normal(0.9, 0.1, number)
    for kind, size in SIZES.items():
        boxes[types == kind, 3:6] = size
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, number)
    truths = {"box": boxes, "type": types, "frame": np.repeat(np.arange(frames), objects)}
    predictions = {name: np.repeat(array, each, axis=0) for name, array in truths.items()}
    predictions["box"] = predictions["box"] + rng.normal(0, NOISE, (number * each, 7))
    # A size that noise turned over would be a box that nothing overlaps.
    predictions["box"][:, 3:6] = np.maximum(predictions["box"][:, 3:6], 0.1)
    predictions["score"] = rng.uniform(0, 1, number * each).astype(np.float32)
    return predictions, {**truths, "diff": rng.integers(1, 3, number)}


def measure_metrics(frames: int, objects: int, each: int, workers: int, reference_frames: int) -> MetricsRecord:
    """Evaluates synthetic frames with the challenge's config.

    Args:
        frames: How many.
        objects: Ground truths per frame.
        each: Predictions per ground truth.
        workers: Processes.
        reference_frames: How many of the frames the plain formulation gets, at least one.
    """
    config = MetricConfig.challenge()
    predictions, truths = synthetic_objects(frames, objects, each)
    few = list(split_frames(predictions, truths))[: max(reference_frames, 1)]
    accumulate(few[:1], config)  # compiles
    with PeakMemory() as memory:
        start = time.perf_counter()
        detection_metrics(predictions, truths, config, workers)
        seconds = time.perf_counter() - start
    start = time.perf_counter()
    fast = accumulate(few, config)
    fast_seconds = time.perf_counter() - start
    start = time.perf_counter()
    plain = reference_counts(few, config)
    plain_seconds = time.perf_counter() - start
    return MetricsRecord(
        frames=frames,
        objects=objects,
        predictions=objects * each,
        workers=workers,
        seconds=seconds,
        peak_bytes=memory.peak_bytes,
        reference_frames=len(few),
        seconds_per_frame=fast_seconds / len(few),
        reference_seconds_per_frame=plain_seconds / len(few),
        largest_difference=_difference(fast, plain),
    )


def _difference(fast: Accumulator, plain: np.ndarray) -> float:
    return float(np.abs(fast.totals - plain).max())


class PeakMemory:
    """Samples the memory of this process and its workers while a block runs.

    Attributes:
        peak_bytes: The largest sum of proportional set sizes; NaN where /proc doesn't offer them.
    """

    def __init__(self, interval: float = 0.05) -> None:
        self.peak_bytes = float("nan")
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            workers = [process.pid for process in multiprocessing.active_children() if process.pid]
            own = _proportional_bytes(os.getpid())
            # A worker may be gone by now; it then counts nothing.
            total = own + float(np.nansum([_proportional_bytes(pid) for pid in workers]))
            self.peak_bytes = float(np.fmax(self.peak_bytes, total))
            if self._done.wait(self._interval):
                return


def _proportional_bytes(pid: int) -> float:
    """Memory of a process in which each shared page counts in parts; NaN where it isn't told."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("nan")
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), float("nan"))
