"""One-to-one assignment of targets to queries (DETR, arXiv 2005.12872, equation 1).

Shapes: ... any leading axes (decoder layers, query groups), Q queries, K classes, M targets, D numbers that describe a
target.
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from bev.models.losses import BoxDistance, BoxOverlap, FocalLoss

# Of the box code, without the velocity: it is unknown for some objects and says little about which query should take
# which.
MATCHED_NUMBERS = 8


class HungarianAssigner:
    """Finds the assignment of least total cost, with the losses themselves as costs.

    Args:
        class_loss: Class cost.
        distances: Costs of the place and shape, added up.
        matched_numbers: How many numbers of a description the distances see, from the first one; None for all.
        kind: What the targets are called in errors.
    """

    def __init__(
        self,
        class_loss: FocalLoss,
        *distances: BoxDistance | BoxOverlap,
        matched_numbers: int | None = MATCHED_NUMBERS,
        kind: str = "boxes",
    ) -> None:
        self.class_loss, self.distances = class_loss, distances
        self.matched, self.kind = slice(matched_numbers), kind

    @torch.no_grad()
    def assign(self, logits: Tensor, codes: Tensor, target_labels: Tensor, target_codes: Tensor) -> Tensor:
        """Assigns the targets of one sample, separately for every leading index.

        Args:
            logits: (..., Q, K) float32.
            codes: (..., Q, D) float32, box codes in metres where D is 10.
            target_labels: (M,) int64.
            target_codes: (M, D); numbers that the distances don't see, such as velocities, may be NaN.

        Returns:
            (..., Q) int64: index of the query's target, -1 for background. min(M, Q) queries have a target.

        Raises:
            FloatingPointError: A prediction or a target is not finite.
        """
        assigned = torch.full(codes.shape[:-1], -1, dtype=torch.long)
        if len(target_labels) == 0 or codes.shape[-2] == 0:
            return assigned.to(codes.device)
        # All costs cross to the CPU in one copy; a copy per problem would stall a GPU.
        costs = self._costs(logits, codes, target_labels, target_codes[:, self.matched]).cpu()
        if not torch.isfinite(costs).all():
            raise FloatingPointError(self._describe_non_finite(logits, codes, target_codes))
        flat_assigned = assigned.view(-1, codes.shape[-2])
        flat_costs = costs.reshape(-1, *costs.shape[-2:]).numpy()
        for problem, cost in zip(flat_assigned, flat_costs, strict=True):
            queries, targets = linear_sum_assignment(cost)
            problem[torch.from_numpy(queries)] = torch.from_numpy(targets)
        return assigned.to(codes.device)

    def _costs(self, logits: Tensor, codes: Tensor, target_labels: Tensor, target_boxes: Tensor) -> Tensor:
        boxes = codes[..., self.matched]
        box_cost = boxes.new_empty((*codes.shape[:-1], len(target_labels)))
        # One problem at a time: smooth L1 needs Q x M x 8 numbers, hundreds of megabytes for all of them at once.
        for cost, predicted in zip(
            box_cost.view(-1, *box_cost.shape[-2:]), boxes.reshape(-1, *boxes.shape[-2:]), strict=True
        ):
            cost.copy_(torch.stack([distance.cost(predicted, target_boxes) for distance in self.distances]).sum(0))
        return self.class_loss.cost(logits, target_labels) + box_cost

    def _describe_non_finite(self, logits: Tensor, codes: Tensor, target_codes: Tensor) -> str:
        bad = (~torch.isfinite(target_codes[:, self.matched])).any(-1).nonzero().flatten().tolist()
        if bad:
            return f"ground-truth {self.kind} {bad} have a non-finite place or shape; drop them where the index is made"
        bad_logits, bad_codes = (int((~torch.isfinite(values)).sum()) for values in (logits, codes))
        return (
            f"{bad_logits} class logits and {bad_codes} numbers of predicted {self.kind} are not finite: "
            "training diverged; lower the learning rate or train in float32"
        )
