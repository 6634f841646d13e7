"""What the queries of a decoder should find, and which query should find what.

Shapes: M targets of a sample, D numbers that describe one (10 of the box code for 3D boxes), L decoder layers, B batch,
G query groups, Q queries per group, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bev.models.assigners.hungarian import HungarianAssigner


@dataclass(frozen=True)
class SetTarget:
    """Ground truth of one sample: a set of objects, lanes or traffic elements.

    Attributes:
        codes: (M, D) float32; of 3D boxes the box codes of their gravity centres, metres. Unknown numbers (velocities)
            are NaN.
        labels: (M,) int64.
    """

    codes: Tensor
    labels: Tensor


@dataclass(frozen=True)
class QueryTargets:
    """Ground truth dealt out to the queries.

    Attributes:
        positive: (L, B, G * Q, K) bool, the class that a query should find.
        codes: (L, B, G * Q, D); finite.
        weights: (L, B, G * Q, D), 1 for the numbers to regress: 0 for background and unknown velocities.
        objects_per_group: Targets that have a query, over the batch, in each group.
        assigned: (L, B, G * Q) int64, index of the query's object in its sample; -1 for background.
    """

    positive: Tensor
    codes: Tensor
    weights: Tensor
    objects_per_group: float
    assigned: Tensor


def match_queries(
    assigner: HungarianAssigner, targets: Sequence[SetTarget], logits: Tensor, codes: Tensor, num_groups: int
) -> QueryTargets:
    """Assigns each sample's objects to the queries of every layer and group.

    Args:
        assigner: Finds the assignment.
        targets: B of them.
        logits: (L, B, G * Q, K) float32.
        codes: (L, B, G * Q, D) float32.
        num_groups: G; every group finds all objects by itself.
    """
    positive = torch.zeros_like(logits, dtype=torch.bool)
    target_codes, weights = torch.zeros_like(codes), torch.zeros_like(codes)
    all_assigned = torch.full(codes.shape[:3], -1, dtype=torch.long, device=codes.device)
    matched = 0
    for index, target in enumerate(targets):
        sample_logits, sample_codes = (values[:, index].unflatten(1, (num_groups, -1)) for values in (logits, codes))
        assigned = assigner.assign(sample_logits, sample_codes, target.labels, target.codes).flatten(1)
        all_assigned[:, index] = assigned
        layer, query = (assigned >= 0).nonzero(as_tuple=True)
        objects = assigned[layer, query]
        known = torch.isfinite(target.codes[objects])
        positive[layer, index, query, target.labels[objects]] = True
        target_codes[layer, index, query] = target.codes[objects].nan_to_num()
        weights[layer, index, query] = known.to(weights.dtype)
        matched += len(objects)
    return QueryTargets(positive, target_codes, weights, matched / (len(logits) * num_groups), all_assigned)
