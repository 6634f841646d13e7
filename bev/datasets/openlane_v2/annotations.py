"""One frame of OpenLane-V2 from its JSON, checked field by field.

The format of 2023 has `lane_centerline` (curves of 201 points), that of 2024 `lane_segment` (centre, left and right
line of any number of points) and `area`. Points are in the vehicle's frame (x ahead, y left, z up), metres; camera
frames are optical (x right, y down, z ahead), `extrinsic` leads from them to the vehicle's.

Shapes: n lanes of P points, k traffic elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bev.datasets.openlane_v2.classes import AREAS, ATTRIBUTES, ELEMENTS, LINE_TYPES
from bev.errors import InputError
from bev.geometry import check_intrinsic, check_pose
from bev.geometry.curves import interpolation

CENTERLINE_POINTS = 21
"""Points that are kept of the 201 of a centreline; every second of them is one of the metric's 11."""

SEGMENT_POINTS = 10
"""Points of the lines of lane segments in the devkit's preprocessing, evenly spaced along the line."""

AREA_POINTS = 20
_LINES = ("centerline", "left_laneline", "right_laneline")


class AnnotationError(InputError):
    """An annotation that cannot be used; the message names the file and the field."""


class Fields:
    """A mapping from JSON whose missing or wrong entries are named with file and path.

    Args:
        value: What should be a mapping.
        where: File and path of it, for messages.
    """

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise AnnotationError(f"{where}: expected an object, found {type(value).__name__}")
        self.value, self.where = value, where

    def get(self, key: str) -> Any:
        """An entry that must be there."""
        if key not in self.value:
            raise AnnotationError(f"{self.where}: {key!r} is missing")
        return self.value[key]

    def fields(self, key: str) -> Fields:
        """An entry that is a mapping itself."""
        return Fields(self.get(key), f"{self.where}: {key}")

    def each(self, key: str) -> list[Fields]:
        """The entries of a list of mappings."""
        entries = self.get(key)
        if not isinstance(entries, Sequence) or isinstance(entries, str):
            raise AnnotationError(f"{self.where}: {key!r} must be a list, found {type(entries).__name__}")
        return [Fields(entry, f"{self.where}: {key}[{i}]") for i, entry in enumerate(entries)]

    def array(self, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """An entry as finite float64 numbers; None in `shape` stands for any length but 0."""
        try:
            array = np.asarray(self.get(key), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise AnnotationError(f"{self.where}: {key!r} is no array of numbers ({error})") from None
        fits = array.ndim == len(shape) and all(
            found == wanted or (wanted is None and found > 0) for found, wanted in zip(array.shape, shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("n" if side is None else str(side) for side in shape)
            raise AnnotationError(f"{self.where}: {key!r} must have shape ({wanted}), found {array.shape}")
        if not np.isfinite(array).all():
            raise AnnotationError(f"{self.where}: {key!r} holds NaN or infinity; correct the annotation")
        return array

    def curve(self, key: str) -> np.ndarray:
        """An entry as the points (P, 3) of a curve, at least two."""
        points = self.array(key, (None, 3))
        if len(points) < 2:
            raise AnnotationError(f"{self.where}: {key!r} must have at least 2 points")
        return points

    def integer(self, key: str, allowed: range | None = None) -> int:
        """An entry as an integer, within a range where one is given."""
        value = self.get(key)
        is_number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        # Identifiers may be texts of digits.
        if not is_number and not (isinstance(value, str) and value.isdecimal()):
            raise AnnotationError(f"{self.where}: {key!r} must be an integer, found {value!r}")
        if allowed is not None and int(value) not in allowed:
            raise AnnotationError(
                f"{self.where}: {key!r} must lie in {allowed.start}..{allowed.stop - 1}, found {value!r}"
            )
        return int(value)

    def relation(self, key: str, rows: int, columns: int) -> np.ndarray:
        """An adjacency matrix (rows, columns) of zeros and ones as bool."""
        entry = self.get(key)
        if rows * columns == 0 and np.size(entry) == 0:
            return np.zeros((rows, columns), dtype=bool)
        matrix = self.array(key, (rows, columns))
        if not np.isin(matrix, (0, 1)).all():
            raise AnnotationError(f"{self.where}: {key!r} must hold zeros and ones")
        return matrix.astype(bool)


def read_pose(fields: Fields, key: str) -> np.ndarray:
    """A pose {rotation (3, 3), translation (3,)} as (4, 4) float64.

    Raises:
        AnnotationError: It has another form.
        CalibrationError: It is no rigid transform.
    """
    pose, inner = np.eye(4), fields.fields(key)
    pose[:3, :3], pose[:3, 3] = inner.array("rotation", (3, 3)), inner.array("translation", (3,))
    check_pose(pose, inner.where)
    return pose


def read_camera(camera: Fields, global_T_ego: np.ndarray) -> dict[str, Any]:
    """A camera's entry in the index but for the size of its image."""
    path, intrinsic = camera.get("image_path"), camera.fields("intrinsic").array("K", (3, 3))
    if not isinstance(path, str) or not path:
        raise AnnotationError(f"{camera.where}: 'image_path' must be a path, found {path!r}")
    check_intrinsic(intrinsic, f"{camera.where}: intrinsic")
    return {
        "img_path": path.removeprefix("./"),
        "cam2img": intrinsic,
        "cam2ego": read_pose(camera, "extrinsic"),
        "ego2global": global_T_ego,
    }


def read_topology(annotation: Fields, layout: str = "centerline") -> dict[str, Any]:
    """An annotation as the index has it.

    Args:
        annotation: It.
        layout: "centerline" for the format of 2023, "segment" for that of 2024.

    Returns:
        `lanes` (n, P, 3) float32; `lane_ids` (n,); `traffic_boxes` (k, 4) float32, left, top, right, bottom, pixels of
        the front image; `traffic_attributes`, `traffic_categories`, `traffic_ids` (k,) int64; `topology_lclc` (n, n)
        and `topology_lcte` (n, k) bool. Of lane segments also `left_lines` and `right_lines` (n, P, 3), `left_types`
        and `right_types` (n,), `is_intersection` (n,) bool, `areas` (m, 20, 3), `area_categories` (m,).

    Raises:
        AnnotationError: Something is missing or wrong; names file and field.
    """
    topology = _segments(annotation) if layout == "segment" else _centerlines(annotation)
    return {**topology, **_elements(annotation), **_relations(annotation, topology)}


def _relations(annotation: Fields, topology: Mapping[str, Any]) -> dict[str, np.ndarray]:
    lanes, elements = len(topology["lanes"]), len(annotation.each("traffic_element"))
    names = ("topology_lsls", "topology_lste") if "areas" in topology else ("topology_lclc", "topology_lcte")
    return {
        "topology_lclc": annotation.relation(names[0], lanes, lanes),
        "topology_lcte": annotation.relation(names[1], lanes, elements),
    }


def _centerlines(annotation: Fields) -> dict[str, Any]:
    instances = annotation.each("lane_centerline")
    lanes = [_resampled(instance.curve("points"), CENTERLINE_POINTS) for instance in instances]
    return {"lanes": _stack(lanes, (CENTERLINE_POINTS, 3)), "lane_ids": _integers(instances, "id")}


def _segments(annotation: Fields) -> dict[str, Any]:
    segments, areas = annotation.each("lane_segment"), annotation.each("area")
    lines = [
        _stack([evenly_spaced(segment.curve(key), SEGMENT_POINTS) for segment in segments], (SEGMENT_POINTS, 3))
        for key in _LINES
    ]
    types = range(len(LINE_TYPES))
    return {
        "lanes": lines[0],
        "lane_ids": _integers(segments, "id"),
        "left_lines": lines[1],
        "right_lines": lines[2],
        "left_types": _integers(segments, "left_laneline_type", types),
        "right_types": _integers(segments, "right_laneline_type", types),
        "is_intersection": np.array([bool(segment.get("is_intersection_or_connector")) for segment in segments], bool),
        "areas": _stack([evenly_spaced(area.curve("points"), AREA_POINTS) for area in areas], (AREA_POINTS, 3)),
        "area_categories": _integers(areas, "category", range(min(AREAS), max(AREAS) + 1)),
    }


def _elements(annotation: Fields) -> dict[str, Any]:
    elements = annotation.each("traffic_element")
    boxes = _stack([element.array("points", (2, 2)).reshape(4) for element in elements], (4,))
    for element, box in zip(elements, boxes, strict=True):
        if (box[2:] <= box[:2]).any():
            raise AnnotationError(
                f"{element.where}: 'points' must be the top left and the bottom right corner, found {box.tolist()}"
            )
    return {
        "traffic_boxes": boxes,
        "traffic_attributes": _integers(elements, "attribute", range(len(ATTRIBUTES))),
        "traffic_categories": _integers(elements, "category", range(min(ELEMENTS), max(ELEMENTS) + 1)),
        "traffic_ids": _integers(elements, "id"),
    }


def _integers(instances: Sequence[Fields], key: str, allowed: range | None = None) -> np.ndarray:
    return np.array([instance.integer(key, allowed) for instance in instances], dtype=np.int64)


def _stack(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.array(arrays, dtype=np.float32).reshape(-1, *shape)


def _resampled(points: np.ndarray, count: int) -> np.ndarray:
    """Points (P, 3) at evenly spaced indices: of 201, every tenth."""
    return points if len(points) == count else interpolation(len(points), count) @ points


def evenly_spaced(points: np.ndarray, count: int) -> np.ndarray:
    """Points (count, 3) at evenly spaced lengths along a polyline (P, 3), both ends included."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.linspace(0.0, lengths[-1], count)
    return np.stack([np.interp(places, lengths, points[:, axis]) for axis in range(3)], axis=-1)
