"""Targets of 3D detection heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet3d.structures import Det3DDataSample

from bev.errors import InputError
from bev.geometry.boxes import encode_boxes
from bev.models.assigners import SetTarget
from bev.structures.boxes import gravity_boxes
from bev.structures.samples import sample_name


def detection_targets(samples: Sequence[Det3DDataSample], num_classes: int, device: torch.device) -> list[SetTarget]:
    """Reads `gt_instances_3d` of each sample: `bboxes_3d` (bottom centre, 9 numbers) and `labels_3d`.

    Objects whose field `in_range` is False are left out, where there is one (see `BoxRangeFilter`).

    Raises:
        InputError: A label is not one of the head's classes, or the boxes carry no velocity.
    """
    targets = []
    for number, sample in enumerate(samples):
        where = f"sample {sample_name(sample, number)}"
        objects = sample.gt_instances_3d
        if "in_range" in objects:
            objects = objects[objects.in_range]
        boxes, labels = objects.bboxes_3d, objects.labels_3d.to(device)
        if boxes.tensor.shape[-1] != 9:
            raise InputError(f"{where}: boxes have {boxes.tensor.shape[-1]} numbers; 9, with velocity, are needed")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise InputError(
                f"{where}: labels {sorted(set(labels.tolist()))} do not fit a head of {num_classes} classes"
            )
        gravity = gravity_boxes(boxes).to(device=device, dtype=torch.float32)
        targets.append(SetTarget(encode_boxes(gravity), labels))
    return targets
