"""The annotated objects of an index entry as boxes and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmdet3d.structures import LiDARInstance3DBoxes


@dataclass(frozen=True)
class GroundTruth:
    """M objects of one sample in its bev (LiDAR) frame.

    Attributes:
        boxes: (M, 9) with velocities, metres per second.
        labels: (M,) int64 positions in the classes asked for.
        attributes: M names, "" where there is none.
        instance_indices: (M,) int64 positions in the entry's `instances`.
    """

    boxes: LiDARInstance3DBoxes
    labels: np.ndarray
    attributes: list[str]
    instance_indices: np.ndarray


def read_ground_truth(
    entry: dict, labels: np.ndarray, only_visible: bool = True, unknown_velocity: float = 0.0
) -> GroundTruth:
    """Objects of the classes asked for.

    Args:
        entry: a sample's entry of an index.
        labels: table from the index's labels to classes, as `label_mapping` gives it.
        only_visible: leave out boxes that neither LiDAR nor radar has a point in, as the official evaluation does.
        unknown_velocity: stands for velocities that the tables do not tell (NaN in the index).
    """
    instances = [
        (position, instance)
        for position, instance in enumerate(entry["instances"])
        if labels[instance["bbox_label_3d"]] >= 0 and (instance["bbox_3d_isvalid"] or not only_visible)
    ]
    return GroundTruth(
        boxes=boxes_of([instance for _, instance in instances], unknown_velocity),
        labels=np.array([labels[instance["bbox_label_3d"]] for _, instance in instances], dtype=np.int64),
        attributes=[instance.get("attribute", "") for _, instance in instances],
        instance_indices=np.array([position for position, _ in instances], dtype=np.int64),
    )


def boxes_of(instances: Sequence[dict], unknown_velocity: float = 0.0) -> LiDARInstance3DBoxes:
    """Index instances as mmdet3d boxes, (M, 9)."""
    rows = [[*instance["bbox_3d"], *instance["velocity"]] for instance in instances]
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 9)
    boxes[:, 7:] = np.where(np.isfinite(boxes[:, 7:]), boxes[:, 7:], unknown_velocity)
    return LiDARInstance3DBoxes(boxes.astype(np.float32), box_dim=9, origin=(0.5, 0.5, 0.5))
