"""Traffic lights and signs in the front image: Deformable DETR (arXiv 2010.04159) with iterative box refinement.

Shapes: L decoder layers, B batch, T frames, N cameras, E queries, C channels, K attributes, h_i, w_i height and width
of feature level i. Boxes are centre x, y, width, height in fractions of the image without its padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.assigners import HungarianAssigner, QueryTargets, SetTarget, match_queries
from bev.models.heads.branches import class_branch, regression_branch
from bev.models.heads.layer_losses import name_layers
from bev.models.losses import BoxDistance, BoxOverlap, FocalLoss, mean_over_ranks
from bev.structures import ImageFeatures

# The first layer starts with boxes of 12 % of the image (the logit of that is -2) around the reference points.
FIRST_STEP = (0.0, 0.0, -2.0, -2.0)


@dataclass
class TrafficElementOutputs:
    """What the detector says about the front images of a batch.

    Attributes:
        logits: (L, B, E, K).
        boxes: (L, B, E, 4).
        states: (B, E, C) of the last layer, which relations are told from.
    """

    logits: Tensor
    boxes: Tensor
    states: Tensor


@MODELS.register_module()
class TrafficElementDetector(nn.Module):
    """Deformable DETR on the features of one camera.

    Args:
        encoder: Config of a `PyramidEncoder`.
        decoder: Config of a `DETRDecoder` with as many levels and queries with `reference_dims=2`.
        num_attributes: K.
        num_fcs: Hidden layers of the box branches.
        front_camera: Index of the camera on the N axis.
        class_loss: Arguments of `FocalLoss`; all three losses are also costs of the assignment.
        box_loss: Arguments of `BoxDistance`.
        overlap_loss: Arguments of `BoxOverlap`.
    """

    def __init__(
        self,
        encoder: Mapping[str, Any],
        decoder: Mapping[str, Any],
        num_attributes: int = 13,
        num_fcs: int = 2,
        front_camera: int = 0,
        class_loss: Mapping[str, Any] | None = None,
        box_loss: Mapping[str, Any] | None = None,
        overlap_loss: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.num_attributes, self.front_camera = num_attributes, front_camera
        self.class_loss = FocalLoss(**(class_loss or {"weight": 1.0}))
        self.box_loss = BoxDistance(**(box_loss or {"kind": "l1", "weight": 2.5}))
        self.overlap_loss = BoxOverlap(**(overlap_loss or {}))
        self.assigner = HungarianAssigner(
            self.class_loss, self.box_loss, self.overlap_loss, matched_numbers=None, kind="traffic elements"
        )
        self.encoder, self.decoder = MODELS.build(encoder), MODELS.build(decoder)
        channels, num_layers = self.decoder.embed_dims, len(self.decoder.layers)
        self.cls_branches = nn.ModuleList(class_branch(channels, num_attributes, 0) for _ in range(num_layers))
        self.reg_branches = nn.ModuleList(
            regression_branch(channels, 4, num_fcs, FIRST_STEP if layer == 0 else None) for layer in range(num_layers)
        )

    def forward(self, features: ImageFeatures) -> TrafficElementOutputs:
        """Looks at the front image of the current frame; levels are (B, T, N, C, h_i, w_i)."""
        clip = features.clip
        levels = [level[:, clip.current, self.front_camera] for level in features.levels]
        sizes = clip.image_sizes[:, clip.current, self.front_camera]
        tokens = self.encoder(levels, sizes, clip.padded_size)
        layers = self.decoder(self.decoder.queries(tokens), tokens, self._predict_layer)
        logits, boxes, states = zip(*layers, strict=True)
        return TrafficElementOutputs(torch.stack(logits), torch.stack(boxes), states[-1])

    def loss(
        self, outputs: TrafficElementOutputs, targets: Sequence[SetTarget]
    ) -> tuple[dict[str, Tensor], QueryTargets]:
        """Set losses of each layer, and which query has which traffic element.

        Images without traffic elements teach what is none; the official code drops all losses of such a batch.

        Args:
            outputs: As `forward` gives them.
            targets: B of them: boxes (M, 4), attributes (M,).

        Returns:
            `loss_cls`, `loss_bbox` and `loss_iou` of the last layer, `d0.loss_cls`, ... of the others, each a sum over
            queries divided by the number of traffic elements, meaned over ranks; and the assignment.
        """
        logits, boxes = outputs.logits.float(), outputs.boxes.float()
        matched = match_queries(self.assigner, targets, logits, boxes, num_groups=1)
        normaliser = mean_over_ranks(matched.objects_per_group, logits.device)
        overlaps = self.overlap_loss(boxes, matched.codes) * matched.weights.amax(-1)
        losses = {
            "loss_cls": self.class_loss(logits, matched.positive).sum((1, 2, 3)) / normaliser,
            "loss_bbox": (self.box_loss(boxes, matched.codes) * matched.weights).sum((1, 2, 3)) / normaliser,
            "loss_iou": overlaps.sum((1, 2)) / normaliser,
        }
        return name_layers(losses), matched

    def _predict_layer(
        self, layer: int, states: Tensor, reference: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """Class logits (B, E, K), boxes (B, E, 4) and states of one layer, and the boxes once more as references."""
        guess = reference.float().logit(eps=1e-5)
        if guess.shape[-1] == 2:
            guess = F.pad(guess, (0, 2))
        boxes = (self.reg_branches[layer](states).float() + guess).sigmoid()
        return (self.cls_branches[layer](states), boxes, states), boxes
