"""How fast the OpenLane-V2 score is, beside the same algorithm pair by pair as the official evaluation does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from bev.benchmark_record import BenchmarkRecord
from bev.evaluation.openlane.reference import evaluate_plainly
from bev.evaluation.openlane_ols import evaluate

POINTS = 11
ELEMENTS = 10
VERTEX_EDGES = 0.03


@dataclass(frozen=True)
class MetricRecord(BenchmarkRecord):
    """Times in seconds of one evaluation of all frames, and by how much the scores differ at most.

    Attributes:
        version: Of the metric.
        frames: How many.
        lanes: True ones and predicted ones in each.
        seconds: Best of the rounds, compilation not counted.
        reference_seconds: Of the plain algorithm.
        largest_difference: Between the two's scores.
    """

    version: str
    frames: int
    lanes: int
    seconds: float
    reference_seconds: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """How many times faster than the plain algorithm."""
        return self.reference_seconds / self.seconds


def measure_metric(version: str, frames: int, lanes: int, rounds: int = 3) -> MetricRecord:
    """Times both on the same random frames, the plain algorithm once."""
    truths, predictions = random_frames(frames, lanes)
    warm_up = {token: truths[token] for token in list(truths)[:1]}
    evaluate(warm_up, predictions, version)
    timed = [_timed(lambda: evaluate(truths, predictions, version)) for _ in range(rounds)]
    seconds, scores = min(timed, key=lambda pair: pair[0])
    reference_seconds, expected = _timed(lambda: evaluate_plainly(truths, predictions, version))
    difference = max(abs(scores[name] - value) for name, value in expected.items())
    return MetricRecord(version, frames, lanes, seconds, reference_seconds, difference)


def random_frames(frames: int, lanes: int, seed: int = 0) -> tuple[dict[str, dict], dict[str, dict]]:
    """Annotations and predictions by token: as many predicted lanes as true ones, some near theirs, some elsewhere."""
    generator = np.random.default_rng(seed)
    truths, predictions = {}, {}
    for index in range(frames):
        points = _curves(generator, lanes)
        noise = generator.normal(0, 0.6, (lanes, 1, 3)) + generator.normal(0, 0.15, points.shape)
        elsewhere = generator.random(lanes) < 0.2
        found = np.where(elsewhere[:, None, None], _curves(generator, lanes), points + noise).astype(np.float32)
        corners = generator.uniform(0, 1500, (ELEMENTS, 1, 2))
        boxes = np.concatenate([corners, corners + generator.uniform(20, 80, (ELEMENTS, 1, 2))], axis=1)
        edges = [generator.random((lanes, columns)) < VERTEX_EDGES for columns in (lanes, ELEMENTS)]
        attributes = generator.integers(0, 13, ELEMENTS)
        truths[f"val/{index}"] = _frame(points, boxes, attributes, [edge.astype(np.int8) for edge in edges])
        likely = [expit(3 * edge - 1.5 + generator.normal(0, 1, edge.shape)) for edge in edges]
        predicted = _frame(found, boxes + generator.normal(0, 4, boxes.shape), attributes, likely)
        for instance in (*predicted["lane_centerline"], *predicted["traffic_element"]):
            instance["confidence"] = float(generator.random())
        predictions[f"val/{index}"] = predicted
    return truths, predictions


def _curves(generator: np.random.Generator, number: int) -> np.ndarray:
    """Gently bent lines (number, POINTS, 3) around the vehicle, metres."""
    along = np.linspace(0, 1, POINTS)
    starts = generator.uniform([-50, -25, -1], [30, 25, 1], (number, 3))
    heading = generator.choice([0, np.pi], number) + generator.normal(0, 0.3, number)
    length = generator.uniform(8, 30, number)[:, None] * along
    side = generator.normal(0, 2, number)[:, None] * along**2
    x = length * np.cos(heading)[:, None] - side * np.sin(heading)[:, None]
    y = length * np.sin(heading)[:, None] + side * np.cos(heading)[:, None]
    return (starts[:, None] + np.stack([x, y, 0.01 * length], axis=-1)).astype(np.float32)


def _frame(lanes: np.ndarray, boxes: np.ndarray, attributes: np.ndarray, edges: list[np.ndarray]) -> dict[str, Any]:
    return {
        "lane_centerline": [{"id": i, "points": points} for i, points in enumerate(lanes)],
        "traffic_element": [
            {"id": len(lanes) + i, "points": box.astype(np.float32), "attribute": int(attribute)}
            for i, (box, attribute) in enumerate(zip(boxes, attributes, strict=True))
        ],
        "topology_lclc": edges[0],
        "topology_lcte": edges[1],
    }


def _timed(call: Callable[[], Mapping[str, float]]) -> tuple[float, Mapping[str, float]]:
    start = time.perf_counter()
    scores = call()
    return time.perf_counter() - start, scores
