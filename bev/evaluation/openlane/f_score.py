"""F-score of centrelines as in OpenLane's 3D lane evaluation: curves compared at 100 positions along x.

Shapes: M curves, G true and P predicted; S samples.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from bev.evaluation.openlane.frames import Curves
from bev.geometry.compiled import jit

SAMPLES = np.linspace(-50.0, 50.0, num=100, endpoint=False)
"""Positions along the vehicle's x axis, metres."""

NEAR = 1.5
"""Samples match below it, metres; also what a sample costs that only one curve reaches."""

RATIO = 0.75
"""Share of a curve's samples that must match."""

_NEVER = 1 << 30


def count_lanes(truth: Curves, predicted: Curves) -> np.ndarray:
    """Numbers (4,) of a frame: true lanes found, predicted lanes that are right, true lanes, predicted lanes.

    Lanes that don't reach two samples don't count, nor do those with a NaN in x. One with a NaN or infinity elsewhere
    counts and is paired with nothing; the official cost of such pairs is undefined. Of pairings of the same cost, which
    is in whole metres, the official solver may choose another one.
    """
    true_lanes, true_reach = _lanes(truth)
    lanes, reach = _lanes(predicted)
    costs, near = _compare(true_lanes, true_reach, lanes, reach, NEAR, _NEVER)
    rows, columns = linear_sum_assignment(costs)
    kept = costs[rows, columns] < NEAR * len(SAMPLES)
    rows, columns = rows[kept], columns[kept]
    found = near[rows, columns] / true_reach[rows].sum(axis=1) >= RATIO
    right = near[rows, columns] / reach[columns].sum(axis=1) >= RATIO
    return np.array([found.sum(), right.sum(), len(true_lanes), len(lanes)], dtype=np.int64)


def f_score(counts: np.ndarray) -> float:
    """Harmonic mean of precision and recall, from the sum of all frames' counts (4,); 0 without a match."""
    found, right, truths, predictions = counts.tolist()
    recall = found / truths if truths else 0.0
    precision = right / predictions if predictions else 0.0
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def _lanes(curves: Curves) -> tuple[np.ndarray, np.ndarray]:
    """y and z (M', S, 2) of the curves that count, and the samples that they reach (M', S) bool."""
    values, reach = _resample(curves.points, curves.starts, SAMPLES)
    first, last = curves.points[curves.starts[:-1], 0], curves.points[curves.starts[1:] - 1, 0]
    counts = (first < SAMPLES[-1]) & (last > SAMPLES[0]) & (reach.sum(axis=1) > 1)
    return values[counts], reach[counts]


@jit
def _resample(points: np.ndarray, starts: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolates y and z of each curve at the samples between its least and its greatest x."""
    values = np.zeros((len(starts) - 1, len(samples), 2))
    reach = np.zeros((len(starts) - 1, len(samples)), dtype=np.bool_)
    for i in range(len(starts) - 1):
        curve = points[starts[i] : starts[i + 1]]
        if len(curve) < 2 or np.isnan(curve[:, 0]).any():
            continue
        curve = curve[np.argsort(curve[:, 0], kind="mergesort")]
        high = 0
        for s in range(len(samples)):
            if not curve[0, 0] <= samples[s] <= curve[-1, 0]:
                continue
            reach[i, s] = True
            while high < len(curve) - 1 and curve[high, 0] < samples[s]:
                high += 1
            low = max(high - 1, 0)
            above = low + 1
            share = (samples[s] - curve[low, 0]) / (curve[above, 0] - curve[low, 0])
            for axis in range(2):
                values[i, s, axis] = curve[low, axis + 1] + share * (curve[above, axis + 1] - curve[low, axis + 1])
    return values, reach


@jit
def _compare(
    truth: np.ndarray, true_reach: np.ndarray, lanes: np.ndarray, reach: np.ndarray, limit: float, never: int
) -> tuple[np.ndarray, np.ndarray]:
    """Costs of all pairs in whole metres (G, P) and how many samples match (G, P), both int64."""
    costs = np.zeros((len(truth), len(lanes)), dtype=np.int64)
    near = np.zeros((len(truth), len(lanes)), dtype=np.int64)
    for g in range(len(truth)):
        for p in range(len(lanes)):
            total = 0.0
            for s in range(truth.shape[1]):
                if true_reach[g, s] and reach[p, s]:
                    y, z = truth[g, s, 0] - lanes[p, s, 0], truth[g, s, 1] - lanes[p, s, 1]
                    distance = np.sqrt(y * y + z * z)
                    near[g, p] += distance < limit
                    total += distance
                elif true_reach[g, s] or reach[p, s]:
                    total += limit
            if not total < never:
                costs[g, p] = never
            elif 0 < total < 1:
                costs[g, p] = 1
            else:
                costs[g, p] = int(total)
    return costs, near
