"""The objects of one frame, and how arrays over all frames split into them.

Shapes: P predictions, G ground truths of one frame; N of all frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bev.datasets.waymo.objects import rows_by_frame
from bev.errors import InputError
from bev.evaluation.waymo_let.config import ObjectType


class ObjectsError(InputError):
    """Arrays of objects that the metrics can't take."""


@dataclass(frozen=True)
class FrameObjects:
    """Predictions and ground truths of one frame.

    Boxes are x, y, z of the centre, length, width, height, heading: vehicle frame, metres, radians.

    Attributes:
        boxes: (P, 7) float64.
        types: (P,) `ObjectType`.
        scores: (P,) float32.
        in_no_label_zone: (P,) bool; such predictions are no false positives.
        truth_boxes: (G, 7) float64.
        truth_types: (G,) `ObjectType`.
        truth_levels: (G,) difficulty 1 or 2; 0 where it is unknown.
        truth_cameras: (G,) most visible camera, 1 to 5; 0 where it is unknown.
    """

    boxes: np.ndarray
    types: np.ndarray
    scores: np.ndarray
    in_no_label_zone: np.ndarray
    truth_boxes: np.ndarray
    truth_types: np.ndarray
    truth_levels: np.ndarray
    truth_cameras: np.ndarray


def split_frames(
    predictions: Mapping[str, np.ndarray], ground_truths: Mapping[str, np.ndarray]
) -> Iterator[FrameObjects]:
    """The frames of either side, in ascending order of their keys; objects keep their order.

    Args:
        predictions: box (N, 7), type (N,), score (N,), frame (N,) of any sortable type, and optionally nlz (N,) bool.
        ground_truths: box (N, 7), type (N,), frame (N,), and optionally diff (N,), the difficulty, and camera (N,).

    Raises:
        ObjectsError: An array is missing, or has another length, shape, type or non-finite values.
    """
    found, truth = _predictions(predictions), _ground_truths(ground_truths)
    found_keys, truth_keys = found.pop("frame"), truth.pop("frame")
    # An empty side may have keys of another type: two string columns beside an empty float64 array.
    keys = [keys for keys in (found_keys, truth_keys) if len(keys)]
    if not keys:
        return
    frames, numbers = np.unique(np.concatenate(keys), return_inverse=True)
    sides = np.split(numbers, [len(found_keys)])
    for rows, truth_rows in zip(*(rows_by_frame(side, len(frames)) for side in sides), strict=True):
        yield FrameObjects(
            **{name: array[rows] for name, array in found.items()},
            **{name: array[truth_rows] for name, array in truth.items()},
        )


def _predictions(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    boxes, types, frame = _common("predictions", arrays)
    scores = _column("predictions", arrays, "score", len(boxes)).astype(np.float32)
    if np.isnan(scores).any():
        raise ObjectsError(f"predictions: the score of row {int(np.isnan(scores).argmax())} is not a number")
    zone = _column("predictions", arrays, "nlz", len(boxes), default=False).astype(bool)
    return {"boxes": boxes, "types": types, "scores": scores, "in_no_label_zone": zone, "frame": frame}


def _ground_truths(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    boxes, types, frame = _common("ground_truths", arrays)
    levels = _column("ground_truths", arrays, "diff", len(boxes), default=0).astype(np.int64)
    cameras = _column("ground_truths", arrays, "camera", len(boxes), default=0).astype(np.int64)
    if len(levels) and not 0 <= levels.min() <= levels.max() <= 2:
        raise ObjectsError(f"ground_truths: difficulties are 0, 1 or 2, found {levels.min()} to {levels.max()}")
    names = ("truth_boxes", "truth_types", "truth_levels", "truth_cameras", "frame")
    return dict(zip(names, (boxes, types, levels, cameras, frame), strict=True))


def _common(side: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, types and frame keys, checked."""
    if "box" not in arrays:
        raise ObjectsError(f"{side}: no array 'box'")
    boxes = np.asarray(arrays["box"], dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 7:
        raise ObjectsError(f"{side}: 'box' has shape {boxes.shape}, expected (N, 7)")
    broken = ~np.isfinite(boxes).all(axis=1)
    if broken.any():
        row = int(broken.argmax())
        raise ObjectsError(f"{side}: box {row} is not finite: {boxes[row].tolist()}")
    types = _column(side, arrays, "type", len(boxes)).astype(np.int64)
    wrong = ~np.isin(types, list(ObjectType))
    if wrong.any():
        row = int(wrong.argmax())
        raise ObjectsError(f"{side}: row {row} has type {types[row]}; types are 1 to {len(ObjectType)}")
    return boxes, types, _column(side, arrays, "frame", len(boxes))


def _column(
    side: str, arrays: Mapping[str, np.ndarray], name: str, length: int, default: float | None = None
) -> np.ndarray:
    """One number per object."""
    if name not in arrays:
        if default is None:
            raise ObjectsError(f"{side}: no array {name!r}")
        return np.full(length, default)
    array = np.asarray(arrays[name])
    if array.shape != (length,):
        raise ObjectsError(f"{side}: {name!r} has shape {array.shape}, expected ({length},) as there are boxes")
    return array
