"""Lane centrelines on a BEV map: queries, decoder, curves (the OpenLane-V2 baseline, arXiv 2304.10440).

Shapes: L decoder layers, B batch, Q queries, C channels, D numbers of a curve's code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.curves import CurveCode
from bev.geometry.grid import BEVGrid
from bev.models.assigners import HungarianAssigner, QueryTargets, SetTarget, match_queries
from bev.models.decoders.queries import Queries
from bev.models.heads.branches import class_branch, regression_branch
from bev.models.heads.layer_losses import name_layers
from bev.models.losses import BoxDistance, FocalLoss, mean_over_ranks
from bev.structures import BEVFeatures


@dataclass
class CentrelineOutputs:
    """What the detector says about the lanes of a batch.

    Attributes:
        logits: (L, B, Q, 1).
        codes: (L, B, Q, D) codes of the curves, metres in the map's bev frame.
        states: (B, Q, C) of the last layer, which relations are told from.
        queries: What the decoder started from, with its proposals where the initialisation makes some.
    """

    logits: Tensor
    codes: Tensor
    states: Tensor
    queries: Queries


@MODELS.register_module()
class CentrelineDetector(nn.Module):
    """DETR detector of curves: each decoder layer says which queries are lanes and where they run.

    Args:
        decoder: Config of a `DETRDecoder`. With its `refine`, the next layer reads around the middle between the ends;
            with `CurveQueries`, it reads around all control points and corrects them.
        code: Arguments of `CurveCode`: 5 Bezier control points as published, or ordered points.
        num_fcs: Hidden layers of the class and curve branches.
        class_loss: Arguments of `FocalLoss`, which is also the class cost of the assignment.
        curve_loss: Arguments of `BoxDistance` on the numbers of the code, which is also the cost of the assignment.
        quality_scale: Metres; a query then learns as its score how well it has met its lane, exp(-(d / scale)^2) of the
            largest distance d between their points, so that scores rank lanes as the metric judges them. Without it, 1.
    """

    def __init__(
        self,
        decoder: Mapping[str, Any],
        code: Mapping[str, Any] | None = None,
        num_fcs: int = 2,
        class_loss: Mapping[str, Any] | None = None,
        curve_loss: Mapping[str, Any] | None = None,
        quality_scale: float | None = None,
    ) -> None:
        super().__init__()
        if quality_scale is not None and not quality_scale > 0:
            raise InputError(f"quality_scale is a positive number of metres, not {quality_scale}")
        self.quality_scale = quality_scale
        self.code = CurveCode(**(code or {}))
        self.class_loss = FocalLoss(**(class_loss or {"weight": 1.5}))
        self.curve_loss = BoxDistance(**(curve_loss or {"kind": "l1", "weight": 0.0075}))
        self.assigner = HungarianAssigner(self.class_loss, self.curve_loss, matched_numbers=None, kind="lanes")
        self.decoder = MODELS.build(decoder)
        channels, num_layers = self.decoder.embed_dims, len(self.decoder.layers)
        self.cls_branches = nn.ModuleList(class_branch(channels, 1, num_fcs) for _ in range(num_layers))
        self.reg_branches = nn.ModuleList(
            regression_branch(channels, self.code.size, num_fcs) for _ in range(num_layers)
        )

    def forward(
        self, features: BEVFeatures, exchange: Callable[[int, Tensor], Tensor] | None = None
    ) -> CentrelineOutputs:
        """Finds lanes on a map (B, C, H, W); `exchange` is handed on to the decoder."""
        queries = self.decoder.queries(features)

        def predict(
            layer: int, states: Tensor, reference: Tensor
        ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
            codes, refined = self._predict_curves(layer, states, reference, features.grid)
            logits = self.cls_branches[layer](states)
            if queries.class_prior is not None:
                logits = logits + queries.class_prior
            return (logits, codes, states), refined

        layers = self.decoder(queries, features, predict, exchange)
        logits, codes, states = zip(*layers, strict=True)
        return CentrelineOutputs(torch.stack(logits), torch.stack(codes), states[-1], queries)

    def loss(
        self, outputs: CentrelineOutputs, targets: Sequence[SetTarget]
    ) -> tuple[dict[str, Tensor], QueryTargets]:
        """Set losses of each layer, and which query has which lane.

        Args:
            outputs: As `forward` gives them.
            targets: B of them: codes (M, D) in metres in the map's bev frame, labels 0.

        Returns:
            `loss_cls` and `loss_curve` of the last layer, `d0.loss_cls`, ... of the others, each a sum over queries
            divided by the number of lanes, meaned over ranks, and what `CurveQueries.loss` names; and the assignment.
        """
        logits, codes = outputs.logits.float(), outputs.codes.float()
        matched = match_queries(self.assigner, targets, logits, codes, num_groups=1)
        normaliser = mean_over_ranks(matched.objects_per_group, logits.device)
        class_losses = self.class_loss(logits, self._found(codes, matched)).sum((1, 2, 3)) / normaliser
        curve_losses = (self.curve_loss(codes, matched.codes) * matched.weights).sum((1, 2, 3)) / normaliser
        losses = name_layers({"loss_cls": class_losses, "loss_curve": curve_losses})
        return losses | self.decoder.queries.loss(outputs.queries, list(targets)), matched

    @torch.no_grad()
    def _found(self, codes: Tensor, matched: QueryTargets) -> Tensor:
        """What scores should be (L, B, Q, 1): bool, or from 0 to 1 by the distance of codes (L, B, Q, D) from truth."""
        if self.quality_scale is None:
            return matched.positive
        apart = (self.code.decode(codes) - self.code.decode(matched.codes)).norm(dim=-1).amax(-1, keepdim=True)
        return matched.positive * torch.exp(-((apart / self.quality_scale) ** 2))

    def _predict_curves(
        self, layer: int, states: Tensor, reference: Tensor, grid: BEVGrid
    ) -> tuple[Tensor, Tensor]:
        """Codes (B, Q, D) in metres, and references like those given, in fractions of the grid.

        Every control point is a step in logit space, so that it stays on the grid, from the reference point (B, Q, 3)
        or from itself in the reference curve (B, Q, D); the new reference is the middle between the ends or the curve.
        """
        steps = self.reg_branches[layer](states).float().unflatten(-1, (self.code.num_control, 3))
        placed = steps + reference.float().logit(eps=1e-5).unflatten(-1, (-1, 3))
        codes = grid.denormalise(placed.sigmoid()).flatten(-2)
        if reference.shape[-1] == self.code.size:
            return codes, placed.sigmoid().flatten(-2)
        return codes, ((placed[..., 0, :] + placed[..., -1, :]) / 2).sigmoid()
