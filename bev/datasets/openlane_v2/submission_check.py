"""What a valid OpenLane-V2 submission holds, for the challenges of 2023 and 2024."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from bev.datasets.openlane_v2.classes import AREAS, ATTRIBUTES
from bev.datasets.openlane_v2.countries import is_country
from bev.datasets.submission_errors import is_finite
from bev.datasets.text_files import shorten

MAX_AUTHORS = 10

_TEXTS = ("method", "e-mail", "institution / company", "country / region")
_LABELS = {"attribute": range(len(ATTRIBUTES)), "category": range(min(AREAS), max(AREAS) + 1)}


@dataclass(frozen=True)
class Layout:
    """What a challenge's predictions hold.

    Attributes:
        texts: Metadata that are texts; the authors come with them.
        instances: Names of the arrays of points and of the labels of each kind of instance.
        matrices: Kinds of the rows and of the columns of each adjacency matrix.
    """

    texts: tuple[str, ...]
    instances: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    matrices: Mapping[str, tuple[str, str]]


CENTERLINES = Layout(
    _TEXTS,
    {"lane_centerline": (("points",), ()), "traffic_element": (("points",), ("attribute",))},
    {
        "topology_lclc": ("lane_centerline", "lane_centerline"),
        "topology_lcte": ("lane_centerline", "traffic_element"),
    },
)
"""OpenLane Topology challenge, 2023."""

SEGMENTS = Layout(
    ("team", *_TEXTS),
    {
        "lane_segment": (("centerline", "left_laneline", "right_laneline"), ()),
        "traffic_element": (("points",), ("attribute",)),
        "area": (("points",), ("category",)),
    },
    {"topology_lsls": ("lane_segment", "lane_segment"), "topology_lste": ("lane_segment", "traffic_element")},
)
"""Mapless Driving challenge, 2024."""


def layout_of(predictions: Any) -> Layout:
    """The layout that a frame's predictions follow."""
    return SEGMENTS if isinstance(predictions, Mapping) and "lane_segment" in predictions else CENTERLINES


def metadata_problems(submission: Mapping[str, Any], layout: Layout) -> Iterator[str]:
    """What is wrong with who made it."""
    missing = [key for key in (*layout.texts, "authors") if submission.get(key) in (None, "", [])]
    if missing:
        yield f"metadata are missing: {', '.join(missing)}"
    for key in layout.texts:
        if key not in missing and not isinstance(submission[key], str):
            yield f"{key!r} must be a text, found {shorten(submission[key])}"
    country = submission.get("country / region")
    if isinstance(country, str) and country and not is_country(country):
        yield f"'country / region' must be a name or code of ISO 3166, such as China or CN, found {shorten(country)}"
    authors = submission.get("authors")
    if authors and not (isinstance(authors, list) and all(isinstance(author, str) for author in authors)):
        yield f"'authors' must be a list of texts, found {shorten(authors)}"
    elif authors and len(authors) > MAX_AUTHORS:
        yield f"there are {len(authors)} authors, at most {MAX_AUTHORS} are allowed"


def frame_problems(frame: Any, layout: Layout) -> Iterator[str]:
    """What is wrong with a frame's predictions."""
    predictions = frame.get("predictions") if isinstance(frame, Mapping) else None
    if not isinstance(predictions, Mapping):
        yield "expected a dictionary under 'predictions'"
        return
    wrong = [kind for kind in layout.instances if not isinstance(predictions.get(kind), list)]
    if wrong:
        yield f"expected a list under {', '.join(wrong)}"
        return
    identities: list[Any] = []
    for kind, (lines, labels) in layout.instances.items():
        for i, instance in enumerate(predictions[kind]):
            problem = _instance_problem(instance, kind, lines, labels)
            if problem:
                yield f"{kind} {i}: {problem}"
            else:
                identities.append(instance["id"])
    if len(set(identities)) != len(identities):
        repeated = next(identity for identity in identities if identities.count(identity) > 1)
        yield f"ids must be unique over all lists, {shorten(repeated)} is there {identities.count(repeated)} times"
    for key, (rows, columns) in layout.matrices.items():
        problem = _matrix_problem(predictions.get(key), (len(predictions[rows]), len(predictions[columns])))
        if problem:
            yield f"{key}: {problem}"


def _instance_problem(instance: Any, kind: str, lines: Sequence[str], labels: Sequence[str]) -> str | None:
    if not isinstance(instance, Mapping):
        return f"expected a dictionary, found {type(instance).__name__}"
    missing = [key for key in ("id", *lines, *labels, "confidence") if key not in instance]
    if missing:
        return f"{', '.join(missing)} missing"
    if not isinstance(instance["id"], Integral):
        return f"id must be an integer, found {shorten(instance['id'])}"
    for key in lines:
        problem = _points_problem(instance[key], is_box=kind == "traffic_element")
        if problem:
            return f"{key} {problem}"
    for key in labels:
        if instance[key] not in _LABELS[key]:
            return f"{key} must lie in {_LABELS[key].start}..{_LABELS[key].stop - 1}, found {shorten(instance[key])}"
    confidence = instance["confidence"]
    if not is_finite(confidence):
        return f"confidence must be a finite number, found {shorten(confidence)}"
    return None


def _points_problem(points: Any, is_box: bool) -> str | None:
    if not isinstance(points, np.ndarray):
        return f"must be an array, found {type(points).__name__}"
    if is_box and points.shape != (2, 2):
        return f"must have shape (2, 2), found {points.shape}"
    if not is_box and (points.ndim != 2 or points.shape[1] != 3 or not len(points)):
        return f"must have shape (n, 3) with n >= 1, found {points.shape}"
    return _number_problem(points)


def _matrix_problem(matrix: Any, shape: tuple[int, int]) -> str | None:
    if not isinstance(matrix, np.ndarray):
        return f"must be an array, found {type(matrix).__name__}"
    if matrix.shape != shape:
        return f"must have shape {shape}, found {matrix.shape}"
    return _number_problem(matrix)


def _number_problem(array: np.ndarray) -> str | None:
    if array.dtype.kind not in "fiub":
        return f"must hold numbers, found {array.dtype}"
    return None if np.isfinite(array).all() else "holds NaN or infinity"
