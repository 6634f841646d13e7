"""Ground truth of lane topology.

A sample carries `gt_lanes`, a `BaseDataElement` with

- `lanes`: (n, P, 3) float32, centrelines of P points in driving direction, metres in the (augmented) bev frame; P is 11
  in OpenLane-V2's metric, more points make better fits;
- `traffic_boxes`: (k, 4) float32, left, top, right, bottom in pixels of the augmented front image;
- `traffic_attributes`: (k,) int64;
- `topology_lclc`: (n, n), nonzero where the lane of the row leads into that of the column;
- `topology_lcte`: (n, k), nonzero where the traffic element governs the lane.

Shapes: n lanes and k traffic elements of a sample, B batch, Q subjects, E objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import BaseDataElement
from torch import Tensor
from torchvision.ops import box_convert

from bev.errors import InputError
from bev.geometry.curves import CurveCode
from bev.models.assigners import SetTarget
from bev.structures.samples import sample_name


@dataclass(frozen=True)
class LaneTargets:
    """Ground truth of a batch, one entry per sample.

    Attributes:
        lanes: Codes (n, D) in metres, labels 0.
        traffic: Boxes (k, 4), centre x, y, width, height in fractions of the front image without padding; attributes.
        lane_lane: (n, n) bool.
        lane_traffic: (n, k) bool.
    """

    lanes: list[SetTarget]
    traffic: list[SetTarget]
    lane_lane: list[Tensor]
    lane_traffic: list[Tensor]


def lane_targets(
    samples: Sequence[Det3DDataSample], code: CurveCode, num_attributes: int, image_sizes: Tensor
) -> LaneTargets:
    """Targets of samples with `gt_lanes`.

    Args:
        samples: B of them.
        code: How lanes are described.
        num_attributes: Attributes lie in [0, num_attributes).
        image_sizes: (B, 2) height and width of the front images without padding, pixels; targets go to its device.

    Raises:
        InputError: If a sample has no ground truth, or such that contradicts itself; names the sample.
    """
    targets = LaneTargets([], [], [], [])
    for (where, truth), size in zip(annotated_lanes(samples), image_sizes, strict=True):
        _check(truth, num_attributes, where)
        codes = code.encode(truth.lanes.to(size.device, torch.float64)).float()
        scale = size.flip(0).repeat(2)
        boxes = box_convert(truth.traffic_boxes.to(size.device, torch.float32) / scale, "xyxy", "cxcywh")
        targets.lanes.append(SetTarget(codes, torch.zeros(len(codes), dtype=torch.long, device=size.device)))
        targets.traffic.append(SetTarget(boxes, truth.traffic_attributes.to(size.device, torch.long)))
        targets.lane_lane.append(truth.topology_lclc.to(size.device).bool())
        targets.lane_traffic.append(truth.topology_lcte.to(size.device).bool())
    return targets


def annotated_lanes(samples: Sequence[Det3DDataSample]) -> list[tuple[str, BaseDataElement]]:
    """What messages call each sample, and its `gt_lanes`.

    Raises:
        InputError: If a sample has none; names it.
    """
    found = []
    for number, sample in enumerate(samples):
        where = f"sample {sample_name(sample, number)}"
        if "gt_lanes" not in sample:
            raise InputError(f"{where} has no gt_lanes: a dataset with lane annotations must supply them")
        found.append((where, sample.gt_lanes))
    return found


def relation_targets(subjects: Tensor, objects: Tensor, related: Sequence[Tensor]) -> Tensor:
    """Which pairs of queries are related: those that were assigned related targets.

    Args:
        subjects: (B, Q) int64, index of each query's target in its sample; -1 for none.
        objects: (B, E) likewise.
        related: B matrices (subjects of the sample, objects of the sample) bool.

    Returns:
        (B, Q, E) bool.
    """
    # Index -1, of queries without a target, meets the added last row or column of False.
    return torch.stack(
        [
            F.pad(matrix, (0, 1, 0, 1), value=False)[rows[:, None], columns]
            for matrix, rows, columns in zip(related, subjects, objects, strict=True)
        ]
    )


def _check(truth: BaseDataElement, num_attributes: int, where: str) -> None:
    lanes, boxes, attributes = len(truth.lanes), len(truth.traffic_boxes), len(truth.traffic_attributes)
    found = {name: tuple(truth.get(name).shape) for name in ("topology_lclc", "topology_lcte")}
    if found != {"topology_lclc": (lanes, lanes), "topology_lcte": (lanes, boxes)} or boxes != attributes:
        raise InputError(
            f"{where}: {lanes} lanes, {boxes} traffic boxes and {attributes} attributes don't go with topologies of "
            f"shapes {found['topology_lclc']} and {found['topology_lcte']}"
        )
    for name in ("lanes", "traffic_boxes"):
        bad = (~torch.isfinite(truth.get(name))).flatten(1).any(1).nonzero().flatten().tolist()
        if bad:
            raise InputError(f"{where}: {name} {bad} are not finite; drop them where the index is made")
    flat = (truth.traffic_boxes[:, 2:] <= truth.traffic_boxes[:, :2]).any(1).nonzero().flatten().tolist()
    if flat:
        raise InputError(f"{where}: traffic_boxes {flat} have no area; drop them where the image was cropped")
    wrong = sorted({value for value in truth.traffic_attributes.tolist() if not 0 <= value < num_attributes})
    if wrong:
        raise InputError(f"{where}: traffic_attributes {wrong} do not fit a head of {num_attributes}")
