"""3D detection on a BEV map: queries, decoder, box refinement and set losses (BEVFormer, arXiv 2203.17270).

Shapes: L decoder layers, B batch, G query groups (1 outside training), Q queries per group, C channels, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from bev.geometry.boxes import CODE_SIZE
from bev.geometry.grid import BEVGrid
from bev.models.assigners import HungarianAssigner, QueryTargets, match_queries
from bev.models.decoders.queries import Queries
from bev.models.heads.branches import class_branch, regression_branch
from bev.models.heads.detection_decoding import decode_detections
from bev.models.heads.detection_targets import detection_targets
from bev.models.heads.layer_losses import name_layers
from bev.models.losses import BoxDistance, FocalLoss, mean_over_ranks
from bev.structures import BEVFeatures


@dataclass
class DetectionOutputs:
    """What the head says about a batch.

    Attributes:
        logits: (L, B, G * Q, K).
        codes: (L, B, G * Q, 10) box codes, metres.
        queries: What the decoder started from, with its proposals where the initialisation makes some.
    """

    logits: Tensor
    codes: Tensor
    queries: Queries


@MODELS.register_module()
class BEVDetectionHead(nn.Module):
    """DETR head: each decoder layer predicts classes and boxes for every query and is supervised by itself.

    Args:
        num_classes: K.
        decoder: Config of a `DETRDecoder`.
        num_fcs: Hidden layers of the class and box branches.
        class_loss: Arguments of `FocalLoss`, which is also the class cost of the assignment.
        box_loss: Arguments of `BoxDistance`, which is also the box cost of the assignment.
        code_weights: Ten factors of the box loss, in the order of the box code.
        max_num: Most detections per sample.
        centre_range: Range of the detections' centres, metres: x, y, z minima, then maxima; None for no limit.
        score_threshold: Lowest score of a detection; None for no limit.
    """

    source = "bev"
    predicts = "pred_instances_3d"
    code_weights: Tensor

    def __init__(
        self,
        num_classes: int,
        decoder: dict,
        num_fcs: int = 2,
        class_loss: dict | None = None,
        box_loss: dict | None = None,
        code_weights: Sequence[float] = (1.0,) * 8 + (0.2,) * 2,
        max_num: int = 300,
        centre_range: Sequence[float] | None = (-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        score_threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.max_num, self.centre_range, self.score_threshold = max_num, centre_range, score_threshold
        self.class_loss, self.box_loss = FocalLoss(**(class_loss or {})), BoxDistance(**(box_loss or {}))
        self.assigner = HungarianAssigner(self.class_loss, self.box_loss)
        self.decoder = MODELS.build(decoder)
        channels, num_layers = self.decoder.embed_dims, len(self.decoder.layers)
        self.cls_branches = nn.ModuleList(class_branch(channels, num_classes, num_fcs) for _ in range(num_layers))
        self.reg_branches = nn.ModuleList(regression_branch(channels, CODE_SIZE, num_fcs) for _ in range(num_layers))
        self.register_buffer("code_weights", torch.tensor(code_weights), persistent=False)

    def forward(self, features: BEVFeatures) -> DetectionOutputs:
        """Detects on a map (B, C, H, W); boxes come in the map's bev frame, metres."""
        queries = self.decoder.queries(features)

        def predict(layer: int, states: Tensor, reference: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            return self._predict_layer(layer, states, reference, queries, features.grid)

        layers = self.decoder(queries, features, predict)
        logits, codes = (torch.stack(values) for values in zip(*layers, strict=True))
        return DetectionOutputs(logits, codes, queries)

    def loss(self, outputs: DetectionOutputs, samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Set losses of each layer, averaged over the groups, and the losses of the query initialisation.

        Args:
            outputs: As `forward` gives them.
            samples: B samples with `gt_instances_3d` in the map's bev frame.

        Returns:
            `loss_cls` and `loss_bbox` of the last layer, `d0.loss_cls`, `d0.loss_bbox`, ... of the others, and what
            `HeatmapQueries.loss` names. Each is a sum over queries divided by the objects per group, meaned over ranks.
        """
        logits, codes = outputs.logits.float(), outputs.codes.float()
        num_groups = outputs.queries.num_groups
        targets = detection_targets(samples, self.num_classes, logits.device)
        matched = match_queries(self.assigner, targets, logits, codes, num_groups)
        normaliser = num_groups * mean_over_ranks(matched.objects_per_group, logits.device)
        losses = self._layer_losses(logits, codes, matched, normaliser)
        return losses | self.decoder.queries.loss(outputs.queries, targets)

    @torch.no_grad()
    def predict(self, outputs: DetectionOutputs, samples: Sequence[Det3DDataSample]) -> list[InstanceData]:
        """Detections of the last layer, one `InstanceData` per sample: `bboxes_3d`, `scores_3d`, `labels_3d`."""
        first_group = outputs.logits.shape[2] // outputs.queries.num_groups
        return [
            decode_detections(logits, codes, self.max_num, self.centre_range, self.score_threshold)
            for logits, codes in zip(
                outputs.logits[-1][:, :first_group], outputs.codes[-1][:, :first_group], strict=True
            )
        ]

    def _predict_layer(
        self, layer: int, states: Tensor, reference: Tensor, queries: Queries, grid: BEVGrid
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Class logits and box codes of one layer, and the boxes' centres as the next layer's reference points.

        The branch regresses the centre as a step from the reference point in logit space, so that it stays on the grid.
        """
        logits, code = self.cls_branches[layer](states), self.reg_branches[layer](states)
        if queries.class_prior is not None:
            logits = logits + queries.class_prior
        if queries.code_prior is not None:
            code = code + queries.code_prior
        step = torch.stack([code[..., 0], code[..., 1], code[..., 4]], dim=-1)
        centre = (step.float() + reference.float().logit(eps=1e-5)).sigmoid()
        x, y, z = grid.denormalise(centre).unbind(-1)
        code = torch.cat([torch.stack([x, y], -1), code[..., 2:4], z[..., None], code[..., 5:]], dim=-1)
        return (logits, code), centre

    def _layer_losses(
        self, logits: Tensor, codes: Tensor, matched: QueryTargets, normaliser: Tensor
    ) -> dict[str, Tensor]:
        class_losses = self.class_loss(logits, matched.positive).sum((1, 2, 3)) / normaliser
        weights = matched.weights * self.code_weights
        box_losses = (self.box_loss(codes, matched.codes) * weights).sum((1, 2, 3)) / normaliser
        return name_layers({"loss_cls": class_losses, "loss_bbox": box_losses})
