"""Lane topologies of an index as flat arrays, which forked loader processes share without a copy.

Shapes: F frames, N lanes of all frames with P points each, K traffic elements of all frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bev.datasets.flat_arrays import byte_strings, firsts
from bev.datasets.openlane_v2.labels import LaneLabels


@dataclass(frozen=True)
class LaneTable:
    """Rows of frame f in an array are first[f]:first[f + 1].

    Attributes:
        annotated: (F,) bool.
        tokens: (F,) bytes.
        first_lane, first_element: (F + 1,) int64.
        first_lclc, first_lcte: (F + 1,) int64, of flattened matrices.
        lanes: (N, P, 3) float32, metres in the frame's vehicle frame.
        boxes: (K, 4) float32.
        attributes: (K,) int64.
        lclc, lcte: Flat bool.
        camera: The camera that boxes are in.
    """

    annotated: np.ndarray
    tokens: np.ndarray
    first_lane: np.ndarray
    first_element: np.ndarray
    first_lclc: np.ndarray
    first_lcte: np.ndarray
    lanes: np.ndarray
    boxes: np.ndarray
    attributes: np.ndarray
    lclc: np.ndarray
    lcte: np.ndarray
    camera: str

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]], camera: str) -> LaneTable:
        """The table of the records of an index; `lane_topology` is None for frames without annotation."""
        topologies = [record["lane_topology"] for record in records]
        known = [topology for topology in topologies if topology is not None]

        def joined(key: str, empty: tuple[int, ...], dtype: type) -> np.ndarray:
            arrays = [np.asarray(topology[key]) for topology in known]
            flat = [array.reshape(-1) if key.startswith("topology") else array for array in arrays if array.size]
            return np.concatenate(flat).astype(dtype) if flat else np.zeros(empty, dtype)

        def first(key: str) -> np.ndarray:
            return firsts([0 if topology is None else _rows(topology[key], key) for topology in topologies])

        table = cls(
            tokens=byte_strings(record["token"] for record in records),
            annotated=np.array([topology is not None for topology in topologies], dtype=bool),
            first_lane=first("lanes"),
            first_element=first("traffic_boxes"),
            first_lclc=first("topology_lclc"),
            first_lcte=first("topology_lcte"),
            lanes=joined("lanes", (0, 2, 3), np.float32),
            boxes=joined("traffic_boxes", (0, 4), np.float32),
            attributes=joined("traffic_attributes", (0,), np.int64),
            lclc=joined("topology_lclc", (0,), np.bool_),
            lcte=joined("topology_lcte", (0,), np.bool_),
            camera=camera,
        )
        table._check()
        return table

    def labels(self, row: int) -> LaneLabels | None:
        """Labels of a frame, copied; None where it is not annotated."""
        if not self.annotated[row]:
            return None
        lanes, elements, lclc, lcte = (
            slice(first[row], first[row + 1])
            for first in (self.first_lane, self.first_element, self.first_lclc, self.first_lcte)
        )
        count, others = lanes.stop - lanes.start, elements.stop - elements.start
        return LaneLabels(
            lanes=self.lanes[lanes].copy(),
            traffic_boxes=self.boxes[elements].copy(),
            traffic_attributes=self.attributes[elements].copy(),
            topology_lclc=self.lclc[lclc].reshape(count, count).copy(),
            topology_lcte=self.lcte[lcte].reshape(count, others).copy(),
            camera=self.camera,
            token=self.tokens[row].decode(),
        )


    def _check(self) -> None:
        """Relations and attributes must be of as many lanes and elements as there are; `of_entries` names the frame."""
        lanes, elements = np.diff(self.first_lane), np.diff(self.first_element)
        sound = (np.diff(self.first_lclc) == lanes**2) & (np.diff(self.first_lcte) == lanes * elements)
        shapes = (self.lanes.ndim, *self.lanes.shape[2:], *self.boxes.shape[1:], len(self.attributes))
        if not sound.all() or shapes != (3, 3, 4, len(self.boxes)):
            raise ValueError("lanes, traffic elements and what is said of them don't fit together")


def _rows(array: np.ndarray, key: str) -> int:
    return array.size if key.startswith("topology") else len(array)
