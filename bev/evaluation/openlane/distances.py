"""How far predicted curves and boxes are from true ones.

Shapes: G true and P predicted instances; a curve has n points of (x, y, z) in the ego frame, metres.
"""

from __future__ import annotations

import numpy as np

from bev.evaluation.openlane.frames import Curves
from bev.geometry.compiled import jit

APART = 1024.0
"""Distance of pairs that are not compared, metres."""

_LEAST_FACTOR = 0.5
_FACTOR_PER_METRE = 5e-3


def chamfer_distances(truth: Curves, predicted: Curves, opens_loops: bool) -> np.ndarray:
    """Chamfer distances (G, P): mean of the two directions' mean distance to the nearest point of the other curve.

    Args:
        truth: G curves.
        predicted: P curves; those that are not finite are `APART` from all.
        opens_loops: See `Rules`.
    """
    lines = truth.points, truth.starts, predicted.points, predicted.starts
    return _chamfer_matrix(*lines, predicted.finite, opens_loops)


def frechet_distances(truth: Curves, predicted: Curves, compared: np.ndarray) -> np.ndarray:
    """Discrete Frechet distances (G, P), after Eiter and Mannila (1994); `APART` for pairs that are not compared.

    Args:
        truth: G curves.
        predicted: P curves.
        compared: (G, P) bool.
    """
    return _frechet_matrix(truth.points, truth.starts, predicted.points, predicted.starts, compared)


def relaxation(truth: Curves) -> np.ndarray:
    """Factors (G,) on distances: 1, less 0.5 % per metre between the vehicle and the curve's nearest point, or 0.5."""
    if not len(truth):
        return np.zeros(0)
    nearest = np.minimum.reduceat(np.linalg.norm(truth.points, axis=1), truth.starts[:-1])
    return np.maximum(_LEAST_FACTOR, 1 - _FACTOR_PER_METRE * nearest)


def centerline_distances(truth: Curves, predicted: Curves, farthest: float, opens_loops: bool) -> np.ndarray:
    """Relaxed Frechet distances (G, P); `APART` where the relaxed Chamfer distance is not below `farthest`."""
    factors = relaxation(truth)[:, None]
    near = chamfer_distances(truth, predicted, opens_loops) * factors < farthest
    return np.where(near, frechet_distances(truth, predicted, near) * factors, APART)


def segment_distances(
    truth: tuple[Curves, Curves, Curves],
    predicted: tuple[Curves, Curves, Curves],
    farthest: float,
    opens_loops: bool,
) -> np.ndarray:
    """Relaxed distances (G, P) of lane segments, each given as centre, left and right lines.

    Half the sum of the centrelines' Frechet distance and the Chamfer distances of left and right lines; `APART` where
    the relaxed Chamfer distance of the centrelines is not below `farthest`.
    """
    (center, *sides), (predicted_center, *predicted_sides) = truth, predicted
    factors = relaxation(center)[:, None]
    near = chamfer_distances(center, predicted_center, opens_loops) * factors < farthest
    total = frechet_distances(center, predicted_center, near)
    for side, predicted_side in zip(sides, predicted_sides, strict=True):
        total = total + chamfer_distances(side, predicted_side, opens_loops)
        near &= predicted_side.finite
    return np.where(near, 0.5 * total * factors, APART)


def iou_distances(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """1 - IoU of boxes (G, 2, 2) and (P, 2, 2) as (G, P) float64; NaN for a box that is NaN.

    It is computed in the boxes' own precision, which decides pairs at the threshold.
    """
    dtype = np.result_type(truth, predicted)
    a, b = truth.astype(dtype)[:, None], predicted.astype(dtype)[None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        overlap = np.maximum(np.minimum(a[:, :, 1], b[:, :, 1]) - np.maximum(a[:, :, 0], b[:, :, 0]), 0).prod(axis=-1)
        areas = (b[:, :, 1] - b[:, :, 0]).prod(axis=-1) + (a[:, :, 1] - a[:, :, 0]).prod(axis=-1)
        return (1 - overlap / (areas - overlap)).astype(np.float64)


@jit
def _squared(a: np.ndarray, b: np.ndarray) -> float:
    x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return x * x + y * y + z * z


@jit
def _chamfer(truth: np.ndarray, predicted: np.ndarray, nearest: np.ndarray) -> float:
    """Chamfer distance of two curves; `nearest` is room for as many numbers as `truth` has points."""
    nearest[: len(truth)] = np.inf
    from_predicted = 0.0
    for j in range(len(predicted)):
        least = np.inf
        for i in range(len(truth)):
            square = _squared(truth[i], predicted[j])
            least = min(least, square)
            nearest[i] = min(nearest[i], square)
        from_predicted += np.sqrt(least)
    from_truth = 0.0
    for i in range(len(truth)):
        from_truth += np.sqrt(nearest[i])
    return (from_predicted / len(predicted) + from_truth / len(truth)) / 2


@jit
def _frechet(truth: np.ndarray, predicted: np.ndarray, reached: np.ndarray) -> float:
    """Discrete Frechet distance of two curves; `reached` is room for as many numbers as `predicted` has points.

    `reached[j]` is the square of the shortest leash with which both can walk to true point i and predicted point j.
    """
    for i in range(len(truth)):
        diagonal = reached[0]
        for j in range(len(predicted)):
            square = _squared(truth[i], predicted[j])
            if i == 0:
                way = reached[j - 1] if j > 0 else 0.0
            elif j == 0:
                way = reached[0]
            else:
                way = min(reached[j], reached[j - 1], diagonal)
            diagonal = reached[j]
            reached[j] = max(way, square)
    return np.sqrt(reached[len(predicted) - 1])


@jit
def _chamfer_matrix(
    truth: np.ndarray,
    truth_starts: np.ndarray,
    predicted: np.ndarray,
    starts: np.ndarray,
    finite: np.ndarray,
    opens_loops: bool,
) -> np.ndarray:
    result = np.full((len(truth_starts) - 1, len(starts) - 1), APART)
    nearest = np.empty(len(truth))
    for g in range(len(truth_starts) - 1):
        a = truth[truth_starts[g] : truth_starts[g + 1]]
        if opens_loops and np.all(a[0] == a[-1]):
            a = a[:-1]
        for p in range(len(starts) - 1):
            if finite[p]:
                result[g, p] = _chamfer(a, predicted[starts[p] : starts[p + 1]], nearest)
    return result


@jit
def _frechet_matrix(
    truth: np.ndarray, truth_starts: np.ndarray, predicted: np.ndarray, starts: np.ndarray, compared: np.ndarray
) -> np.ndarray:
    result = np.full(compared.shape, APART)
    reached = np.empty(len(predicted))
    for g in range(len(truth_starts) - 1):
        a = truth[truth_starts[g] : truth_starts[g + 1]]
        for p in range(len(starts) - 1):
            if compared[g, p]:
                result[g, p] = _frechet(a, predicted[starts[p] : starts[p + 1]], reached)
    return result
