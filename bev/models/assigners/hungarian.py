"""One-to-one assignment of targets to queries (DETR, arXiv 2005.12872, equation 1).

Shapes: ... any leading axes (decoder layers, query groups), Q queries, K classes, M targets.
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from bev.models.losses import BoxDistance, FocalLoss

# The velocity is left out: it is unknown for some objects and says little about which query should take which.
MATCHED_NUMBERS = 8


class HungarianAssigner:
    """Finds the assignment of least total cost, with the losses themselves as costs."""

    def __init__(self, class_loss: FocalLoss, box_distance: BoxDistance) -> None:
        self.class_loss = class_loss
        self.box_distance = box_distance

    @torch.no_grad()
    def assign(self, logits: Tensor, codes: Tensor, target_labels: Tensor, target_codes: Tensor) -> Tensor:
        """Assigns the targets of one sample, separately for every leading index.

        Args:
            logits: (..., Q, K) float32.
            codes: (..., Q, 10) float32 box codes in metres.
            target_labels: (M,) int64.
            target_codes: (M, 10); velocities may be NaN.

        Returns:
            (..., Q) int64: index of the query's target, -1 for background. min(M, Q) queries have a target.

        Raises:
            FloatingPointError: A prediction or a target's box is not finite.
        """
        assigned = torch.full(codes.shape[:-1], -1, dtype=torch.long)
        if len(target_labels) == 0 or codes.shape[-2] == 0:
            return assigned.to(codes.device)
        # All costs cross to the CPU in one copy; a copy per problem would stall a GPU.
        costs = self._costs(logits, codes, target_labels, target_codes[:, :MATCHED_NUMBERS]).cpu()
        if not torch.isfinite(costs).all():
            raise FloatingPointError(_describe_non_finite(logits, codes, target_codes))
        flat_assigned = assigned.view(-1, codes.shape[-2])
        flat_costs = costs.reshape(-1, *costs.shape[-2:]).numpy()
        for problem, cost in zip(flat_assigned, flat_costs, strict=True):
            queries, targets = linear_sum_assignment(cost)
            problem[torch.from_numpy(queries)] = torch.from_numpy(targets)
        return assigned.to(codes.device)

    def _costs(self, logits: Tensor, codes: Tensor, target_labels: Tensor, target_boxes: Tensor) -> Tensor:
        boxes = codes[..., :MATCHED_NUMBERS]
        box_cost = boxes.new_empty((*codes.shape[:-1], len(target_labels)))
        # One problem at a time: smooth L1 needs Q x M x 8 numbers, hundreds of megabytes for all of them at once.
        for cost, predicted in zip(
            box_cost.view(-1, *box_cost.shape[-2:]), boxes.reshape(-1, *boxes.shape[-2:]), strict=True
        ):
            cost.copy_(self.box_distance.cost(predicted, target_boxes))
        return self.class_loss.cost(logits, target_labels) + box_cost


def _describe_non_finite(logits: Tensor, codes: Tensor, target_codes: Tensor) -> str:
    if not torch.isfinite(target_codes[:, :MATCHED_NUMBERS]).all():
        bad = (~torch.isfinite(target_codes[:, :MATCHED_NUMBERS])).any(-1).nonzero().flatten().tolist()
        return f"ground-truth boxes {bad} have a non-finite centre, size or yaw; drop them where the index is made"
    bad_logits, bad_codes = (int((~torch.isfinite(values)).sum()) for values in (logits, codes))
    return (
        f"{bad_logits} class logits and {bad_codes} box numbers of the detection head are not finite: "
        "training diverged; lower the learning rate or train in float32"
    )
