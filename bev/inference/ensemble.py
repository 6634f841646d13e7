"""Predictions of several models as those of one: files of nuScenes or Waymo, merged box by box.

Shapes: N boxes of all models together, D numbers of a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from bev.datasets.nuscenes.classes import CLASSES
from bev.datasets.nuscenes.submission import (
    MAX_BOXES_PER_SAMPLE,
    box_record,
    boxes_of_records,
    validate_submission,
)
from bev.datasets.waymo.classes import TYPES
from bev.datasets.waymo.objects import FrameCodes, objects_from_arrays, prediction_arrays, rows_by_frame
from bev.errors import InputError
from bev.geometry.fusion import BoxFusion, FusedBoxes


class EnsembleError(InputError):
    """Files or options that don't go together; the message says which."""


@dataclass(frozen=True)
class EnsembleOptions:
    """How predictions are merged; see `BoxFusion`.

    Attributes:
        weights: One per model; None for equal ones.
        method: "wbf" or "nms".
        threshold: IoU on the ground.
        class_thresholds: Other thresholds for some classes.
        min_score: Boxes with lower scores are left out before.
    """

    weights: Sequence[float] | None = None
    method: str = "wbf"
    threshold: float = 0.3
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    min_score: float = 0.0

    def fusion(self, models: int, classes: Sequence[str]) -> BoxFusion:
        """For the predictions of so many models, whose labels are positions in `classes`.

        Raises:
            EnsembleError: The number of weights is another, a class is unknown, or a value makes no sense.
        """
        weights = (1.0,) * models if self.weights is None else tuple(self.weights)
        if len(weights) != models:
            raise EnsembleError(f"there are {models} files, but {len(weights)} weights: give one for each")
        unknown = sorted(set(self.class_thresholds) - set(classes))
        if unknown:
            raise EnsembleError(f"no class {', '.join(unknown)} to set a threshold for; there are {', '.join(classes)}")
        try:
            return BoxFusion(
                weights, [self.class_thresholds.get(name, self.threshold) for name in classes], self.method
            )
        except ValueError as error:
            raise EnsembleError(str(error)) from error


def ensemble_nuscenes(submissions: Sequence[dict], options: EnsembleOptions, names: Sequence[str]) -> dict:
    """Merges nuScenes results.

    Boxes come out upright, at most 500 per sample, each with the attribute of its strongest member.

    Args:
        submissions: Contents of `results_nusc.json` files, which all have the same samples.
        options: How.
        names: What errors call the files.

    Returns:
        A submission; its `meta` has what any of them used.

    Raises:
        SubmissionError: One isn't valid, or lacks samples that the first one has.
        EnsembleError: Options that don't fit.
    """
    fusion = options.fusion(len(submissions), CLASSES)
    tokens = list(submissions[0].get("results", ()))
    for submission, name in zip(submissions, names, strict=True):
        validate_submission(submission, tokens, name)
    results = {}
    for token in tqdm(tokens, desc="samples"):
        parts = [submission["results"][token] for submission in submissions]
        records = [record for part in parts for record in part if record["detection_score"] >= options.min_score]
        sources = [
            number
            for number, part in enumerate(parts)
            for record in part
            if record["detection_score"] >= options.min_score
        ]
        labels = np.array([CLASSES.index(record["detection_name"]) for record in records], dtype=np.int64)
        scores = np.array([record["detection_score"] for record in records])
        fused = fusion(boxes_of_records(records), scores, labels, np.array(sources, dtype=np.int64))
        results[token] = _nuscenes_records(fused, records, token)
    keys = submissions[0]["meta"]
    meta = {key: any(submission["meta"].get(key, False) for submission in submissions) for key in keys}
    return {"meta": meta, "results": results}


def ensemble_waymo(messages: Sequence[Any], options: EnsembleOptions, names: Sequence[str]) -> Any:
    """Merges Waymo predictions.

    Args:
        messages: `Objects` messages. A frame that one of them has no object of counts as one where it saw nothing.
        options: How.
        names: What errors call the files.

    Returns:
        An `Objects` message, frame by frame, best objects first.

    Raises:
        ObjectsFileError: An object has no type.
        EnsembleError: Options that don't fit, predictions for single cameras, or an object without a segment, with a
            box that is not finite, or a score outside of [0, 1].
    """
    fusion = options.fusion(len(messages), list(TYPES))
    codes = FrameCodes()
    parts = [prediction_arrays(message.objects, codes, name) for message, name in zip(messages, names, strict=True)]
    if any(camera for _, camera, _ in codes.keys):
        raise EnsembleError(
            "objects with a camera_name are those of single images; the camera-only challenge leaves it unset"
        )
    for part, name in zip(parts, names, strict=True):
        _check_predictions(part, codes, name)
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in ("box", "type", "score", "frame")}
    arrays["source"] = np.repeat(np.arange(len(parts)), [len(part["type"]) for part in parts])
    arrays = {key: values[arrays["score"] >= options.min_score] for key, values in arrays.items()}
    merged: list[FusedBoxes] = []
    frames: list[int] = []
    for frame, rows in enumerate(tqdm(rows_by_frame(arrays["frame"], len(codes)), desc="frames")):
        own = {key: values[rows] for key, values in arrays.items()}
        # Labels are positions in TYPES, whose numbers begin with 1.
        merged.append(fusion(own["box"], own["score"], own["type"] - 1, own["source"]))
        frames += [frame] * len(merged[-1].scores)
    places = [codes.keys[frame] for frame in frames]
    return objects_from_arrays(
        {
            "box": _joined([part.boxes for part in merged], (0, 7)),
            "type": _joined([part.labels + 1 for part in merged], (0,)),
            "score": _joined([part.scores for part in merged], (0,)),
        },
        [segment for segment, _, _ in places],
        [time for _, _, time in places],
    )


def _check_predictions(part: Mapping[str, np.ndarray], codes: FrameCodes, name: str) -> None:
    """Refuse what fusion would drop or spread without a word."""
    named = np.array([bool(segment) for segment, _, _ in codes.keys], dtype=bool)
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(part["box"]).all(axis=1) & (part["score"] >= 0) & (part["score"] <= 1)
    sound &= named[part["frame"]]
    if not sound.all():
        number = int(np.argmin(sound))
        segment, _, time = codes.keys[part["frame"][number]]
        raise EnsembleError(
            f"{name}: object {number} (segment {segment!r}, {time} us) needs a segment, a finite box and a score in "
            f"[0, 1], but has the box {part['box'][number].tolist()} and the score {part['score'][number]:g}"
        )


def _nuscenes_records(fused: FusedBoxes, records: Sequence[Mapping], token: str) -> list[dict]:
    rows = zip(fused.boxes, fused.scores.tolist(), fused.labels, fused.leaders, strict=True)
    return [
        box_record(box, score, CLASSES[label], records[leader]["attribute_name"], token)
        for box, score, label, leader in list(rows)[:MAX_BOXES_PER_SAMPLE]
    ]


def _joined(parts: Sequence[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([np.zeros(empty), *parts])
