"""Annotations and predictions of one frame, from the devkit's dictionaries to checked arrays.

Shapes: M curves; N points of all curves; G or P instances of one kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from bev.datasets.openlane_v2.submission import inner
from bev.errors import InputError


class OpenLaneFormatError(InputError):
    """An annotation or prediction that cannot be judged; the message names the frame and what is wrong in it."""


@dataclass(frozen=True)
class Curves:
    """Polylines in one array.

    Attributes:
        points: (N, 3) float64 in the ego frame, metres.
        starts: (M + 1,) int64; curve i is `points[starts[i] : starts[i + 1]]`.
        finite: (M,) bool, no NaN or infinity among its points.
    """

    points: np.ndarray
    starts: np.ndarray
    finite: np.ndarray

    def __len__(self) -> int:
        return len(self.finite)


def each_frame(
    ground_truth: Mapping[Any, Mapping], predictions: Mapping[Any, Mapping] | None
) -> Iterator[tuple[Any, Any, Any]]:
    """Token, annotation and prediction of each annotated frame; predictions of other frames are left out.

    Args:
        ground_truth: Annotations by token, bare or as `{"annotation": ...}` among the other data of the frame.
        predictions: Predictions by token, bare or as `{"predictions": ...}`, or a submission, which has them under
            `results`; None for none.

    Raises:
        OpenLaneFormatError: A frame has no prediction, or None for one.
    """
    if predictions is not None:
        predictions = predictions.get("results", predictions)
    for token, frame in ground_truth.items():
        if predictions is not None and token not in predictions:
            raise OpenLaneFormatError(f"frame {token}: there is no prediction; predict every annotated frame")
        prediction = None if predictions is None else inner(predictions[token])
        if predictions is not None and prediction is None:
            raise OpenLaneFormatError(f"prediction of frame {token}: expected a dictionary, found None")
        yield token, inner(frame, "annotation"), prediction


class FrameReader:
    """Reads one frame's dictionary, and says where it is wrong.

    Args:
        record: Devkit format: lists of instances, and adjacency matrices.
        token: The frame, for messages.
        is_truth: Annotations must be finite; predictions that are not are kept, and match nothing.
    """

    def __init__(self, record: Any, token: Any, is_truth: bool) -> None:
        self.where = f"{'ground truth' if is_truth else 'prediction'} of frame {token}"
        self.is_truth = is_truth
        if not isinstance(record, Mapping):
            raise OpenLaneFormatError(f"{self.where}: expected a dictionary, found {type(record).__name__}")
        self.record = record

    def instances(self, kind: str) -> Sequence[Mapping]:
        """The list of one kind of instance.

        Raises:
            OpenLaneFormatError: It is missing or no list.
        """
        instances = self.record.get(kind)
        if not isinstance(instances, Sequence):
            raise OpenLaneFormatError(f"{self.where}: {kind!r} must be a list, found {type(instances).__name__}")
        return instances

    def curves(self, kind: str, key: str = "points", fewest: int = 1) -> Curves:
        """Polylines of all instances of a kind, each (n, 3) with at least `fewest` points.

        Raises:
            OpenLaneFormatError: One is missing or has another shape, or one of the ground truth is not finite.
        """
        arrays = [self._points(instance, kind, i, key) for i, instance in enumerate(self.instances(kind))]
        for i, array in enumerate(arrays):
            if array.ndim != 2 or array.shape[1] != 3 or len(array) < fewest:
                raise self._error(kind, i, f"{key!r} must be (n, 3) with n >= {fewest}, found {array.shape}")
        if not arrays:
            return Curves(np.zeros((0, 3)), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=bool))
        starts = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=starts[1:])
        points = np.concatenate(arrays, dtype=np.float64)
        finite = np.logical_and.reduceat(np.isfinite(points).all(axis=1), starts[:-1])
        self._require_finite(kind, key, finite)
        return Curves(points, starts, finite)

    def boxes(self, kind: str) -> np.ndarray:
        """Boxes of all instances of a kind: (P, 2, 2) of x, y of the top left and bottom right corners, pixels.

        Raises:
            OpenLaneFormatError: As for `curves`.
        """
        arrays = [self._points(instance, kind, i, "points") for i, instance in enumerate(self.instances(kind))]
        for i, array in enumerate(arrays):
            if array.shape != (2, 2):
                raise self._error(kind, i, f"'points' must be (2, 2), found {array.shape}")
        boxes = np.stack(arrays) if arrays else np.zeros((0, 2, 2), dtype=np.float32)
        self._require_finite(kind, "points", np.isfinite(boxes).all(axis=(1, 2)))
        return boxes

    def numbers(self, kind: str, key: str, dtype: type = np.float64) -> np.ndarray:
        """One number of each instance of a kind, (P,).

        Raises:
            OpenLaneFormatError: One is missing or not a number.
        """
        instances = self.instances(kind)
        with suppress(KeyError, OverflowError, TypeError, ValueError):
            numbers: np.ndarray = np.array([instance[key] for instance in instances], dtype=dtype)
            if numbers.ndim == 1:
                return numbers
        wrong = next(i for i, instance in enumerate(instances) if not _has_number(instance, key))
        raise self._error(kind, wrong, f"{key!r} must be a number")

    def confidences(self, kind: str) -> np.ndarray:
        """(P,) confidences of predictions; (G,) ones for the ground truth.

        Raises:
            OpenLaneFormatError: One is missing or not a number.
        """
        if self.is_truth:
            return np.ones(len(self.instances(kind)))
        confidences = self.numbers(kind, "confidence")
        if np.isnan(confidences).any():
            raise self._error(kind, int(np.argmax(np.isnan(confidences))), "'confidence' must be a number, not NaN")
        return confidences

    def adjacency(self, key: str, rows: int, columns: int) -> np.ndarray:
        """An adjacency matrix (rows, columns) float64.

        Raises:
            OpenLaneFormatError: It is missing or has another shape.
        """
        try:
            matrix = np.asarray(self.record.get(key), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise OpenLaneFormatError(f"{self.where}: {key!r} is no matrix ({error})") from error
        if matrix.size == 0 == rows * columns:
            return np.zeros((rows, columns))
        if matrix.shape != (rows, columns):
            raise OpenLaneFormatError(f"{self.where}: {key!r} must be ({rows}, {columns}), found {matrix.shape}")
        return matrix

    def _points(self, instance: Any, kind: str, index: int, key: str) -> np.ndarray:
        if not isinstance(instance, Mapping) or key not in instance:
            raise self._error(kind, index, f"{key!r} is missing")
        points = instance[key]
        try:
            # Lists hold what the devkit's preprocessing makes float32; half precision overflows in areas of boxes.
            kept = isinstance(points, np.ndarray) and points.dtype in (np.float32, np.float64)
            return points if kept else np.asarray(points, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise self._error(kind, index, f"{key!r} are no numbers ({error})") from error

    def _require_finite(self, kind: str, key: str, finite: np.ndarray) -> None:
        if self.is_truth and not finite.all():
            raise self._error(kind, int(np.argmin(finite)), f"{key!r} must be finite; repair the annotation")

    def _error(self, kind: str, index: int, problem: str) -> OpenLaneFormatError:
        return OpenLaneFormatError(f"{self.where}: {kind} {index}: {problem}")


def _has_number(instance: Any, key: str) -> bool:
    try:
        float(instance[key])
    except (KeyError, OverflowError, TypeError, ValueError):
        return False
    return np.ndim(instance[key]) == 0
