"""Lane topology: centrelines on the BEV, traffic elements in the front image, and how they belong together.

The CVPR 2023 OpenLane Topology challenge's baseline; the lane graph of TopoNet (arXiv 2304.05277) and the end gaps of
TopoLogic (arXiv 2405.14747) are options.

Shapes: B batch, Q lane queries, E traffic element queries, R rounds in which lanes are related, C channels, n lanes, k
traffic elements of a sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from bev.models.heads.lanes.centrelines import CentrelineDetector, CentrelineOutputs
from bev.models.heads.lanes.decoding import decode_lanes, decode_traffic_elements, file_T_pix
from bev.models.heads.lanes.relations import PairRelation, lane_joints
from bev.models.heads.lanes.targets import lane_targets, relation_targets
from bev.models.heads.lanes.traffic_elements import TrafficElementDetector, TrafficElementOutputs
from bev.models.heads.layer_losses import name_layers
from bev.structures import CameraClip, ClipFeatures


@dataclass
class LaneTopologyOutputs:
    """What the head says about a batch.

    Attributes:
        lanes: Of the lane queries.
        traffic: Of the traffic element queries.
        lane_lane: (R, B, Q, Q) logits that the row's lane leads into the column's; the last round's count.
        lane_traffic: (B, Q, E) logits that the traffic element governs the lane.
        clip: The clip that the image features come from.
    """

    lanes: CentrelineOutputs
    traffic: TrafficElementOutputs
    lane_lane: Tensor
    lane_traffic: Tensor
    clip: CameraClip


@MODELS.register_module()
class LaneTopologyHead(nn.Module):
    """Two detectors and the relations between what they find.

    Args:
        lanes: Config of a `CentrelineDetector`.
        traffic: Config of a `TrafficElementDetector`.
        lane_lane: Config of the `PairRelation` of lanes.
        lane_traffic: Config of the `PairRelation` of lanes and traffic elements.
        graph: Config of a `LaneGraphLayer`: after each decoder layer, lane queries exchange messages along the
            relations that their states suggest, which are supervised like the final ones. None for none.
        max_lanes: Most lanes per sample.
        max_traffic_elements: Most traffic elements per sample.
    """

    source = "both"
    predicts = "pred_lanes"

    def __init__(
        self,
        lanes: Mapping[str, Any],
        traffic: Mapping[str, Any],
        lane_lane: Mapping[str, Any],
        lane_traffic: Mapping[str, Any],
        graph: Mapping[str, Any] | None = None,
        max_lanes: int = 100,
        max_traffic_elements: int = 50,
    ) -> None:
        super().__init__()
        self.lanes: CentrelineDetector = MODELS.build(lanes)
        self.traffic: TrafficElementDetector = MODELS.build(traffic)
        self.lane_lane: PairRelation = MODELS.build(lane_lane)
        self.lane_traffic: PairRelation = MODELS.build(lane_traffic)
        layers = self.lanes.decoder.layers if graph else ()
        self.graph = nn.ModuleList(MODELS.build(graph) for _ in layers)
        self.max_lanes, self.max_traffic_elements = max_lanes, max_traffic_elements

    def forward(self, features: ClipFeatures) -> LaneTopologyOutputs:
        """Looks at the BEV map and the front image of the current frame; lanes come in the map's bev frame, metres."""
        rounds: list[Tensor] = []

        def exchange(layer: int, states: Tensor) -> Tensor:
            rounds.append(self.lane_lane(states, states))
            return self.graph[layer](states, rounds[-1].detach().sigmoid())

        lanes = self.lanes(features.bev, exchange if len(self.graph) else None)
        traffic = self.traffic(features.images)
        rounds.append(self.lane_lane(lanes.states, lanes.states, lane_joints(lanes.codes[-1])))
        lane_traffic = self.lane_traffic(lanes.states, traffic.states)
        return LaneTopologyOutputs(lanes, traffic, torch.stack(rounds), lane_traffic, features.images.clip)

    def loss(self, outputs: LaneTopologyOutputs, samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of both detectors and of the relations.

        Args:
            outputs: As `forward` gives them.
            samples: B samples with `gt_lanes` (see `bev.models.heads.lanes.targets`).

        Returns:
            `lane.loss_cls`, `lane.loss_curve`, `traffic.loss_cls`, `traffic.loss_bbox`, `traffic.loss_iou`, with those
            of other decoder layers as `lane.d0.loss_cls`, ...; `loss_lane_lane`, `loss_lane_traffic`, and with a graph
            `d0.loss_lane_lane`, ...
        """
        targets = lane_targets(samples, self.lanes.code, self.traffic.num_attributes, self._front_sizes(outputs.clip))
        lane_losses, lanes = self.lanes.loss(outputs.lanes, targets.lanes)
        traffic_losses, traffic = self.traffic.loss(outputs.traffic, targets.traffic)
        # Rounds of the graph go with the decoder layers; the final one, and the only one without, with the last layer.
        assigned = [*lanes.assigned[: len(self.graph)], lanes.assigned[-1]]
        rounds = [
            self.lane_lane.loss(logits, relation_targets(matched, matched, targets.lane_lane))
            for logits, matched in zip(outputs.lane_lane, assigned, strict=True)
        ]
        governed = relation_targets(lanes.assigned[-1], traffic.assigned[-1], targets.lane_traffic)
        return {
            **{f"lane.{name}": value for name, value in lane_losses.items()},
            **{f"traffic.{name}": value for name, value in traffic_losses.items()},
            **name_layers({"loss_lane_lane": torch.stack(rounds)}),
            "loss_lane_traffic": self.lane_traffic.loss(outputs.lane_traffic, governed),
        }

    @torch.no_grad()
    def predict(self, outputs: LaneTopologyOutputs, samples: Sequence[Det3DDataSample]) -> list[BaseDataElement]:
        """Lanes and traffic elements, best first, and their relations.

        Args:
            outputs: As `forward` gives them.
            samples: B samples; their metainfo `file_pix_T_bev` leads back to the image files.

        Returns:
            Per sample: `lanes` (n, 11, 3) in metres in the map's bev frame, `lane_scores` (n,), `traffic_boxes` (k, 4),
            left, top, right, bottom in pixels of the front image's file, `traffic_attributes` (k,) int64,
            `traffic_scores` (k,), `topology_lclc` (n, n) and `topology_lcte` (n, k) with probabilities. Samples without
            front image have no traffic elements.

        Raises:
            FloatingPointError: The predictions are not finite.
        """
        return [self._predict_sample(outputs, index, sample) for index, sample in enumerate(samples)]

    def _predict_sample(self, outputs: LaneTopologyOutputs, index: int, sample: Det3DDataSample) -> BaseDataElement:
        lanes, traffic, clip = outputs.lanes, outputs.traffic, outputs.clip
        camera, now = self.traffic.front_camera, clip.current
        ours = lanes.logits[-1, index], lanes.codes[-1, index]
        theirs = traffic.logits[-1, index], traffic.boxes[-1, index]
        if not all(bool(torch.isfinite(values).all()) for values in (*ours, *theirs)):
            raise FloatingPointError("the lane head's predictions are not finite: check the weights and the images")
        points, lane_scores, rows = decode_lanes(*ours, self.lanes.code, self.max_lanes)
        most = self.max_traffic_elements if clip.camera_mask[index, now, camera] else 0
        undo = file_T_pix(clip.pix_T_bev[index, now, camera], sample, camera)
        boxes, attributes, traffic_scores, columns = decode_traffic_elements(
            *theirs, self._front_sizes(clip)[index], undo, most
        )
        return BaseDataElement(
            lanes=points,
            lane_scores=lane_scores,
            traffic_boxes=boxes,
            traffic_attributes=attributes,
            traffic_scores=traffic_scores,
            topology_lclc=outputs.lane_lane[-1, index].float().sigmoid()[rows[:, None], rows],
            topology_lcte=outputs.lane_traffic[index].float().sigmoid()[rows[:, None], columns],
        )

    def _front_sizes(self, clip: CameraClip) -> Tensor:
        """(B, 2) height and width of the front images without padding, pixels."""
        return clip.image_sizes[:, clip.current, self.traffic.front_camera]
