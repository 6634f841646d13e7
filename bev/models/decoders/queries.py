"""Object queries: what the decoder starts from.

Shapes: B batch, G query groups (1 outside training), Q queries per group, C channels, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.assigners import SetTarget
from bev.models.attention.tokens import FeatureTokens
from bev.structures import BEVFeatures


@dataclass
class Queries:
    """Queries of all groups, group after group.

    Attributes:
        content: (B, G * Q, C), what the decoder layers update.
        position: (B, G * Q, C), added to the content where attention compares places.
        reference: (B, G * Q, D) the first guess. D = 3 for x, y, z in fractions of the grid's bounds; in images D = 2
            for x, y and D = 4 for the centre, width and height of a box, in fractions of what is not padding.
        num_groups: G. Groups don't see each other; only the first one predicts outside training.
        code_prior: (B, G * Q, 10) first guess of size, yaw and velocity, added to what the head regresses; zero for the
            centre, which starts from `reference`. None where there is no guess.
        class_prior: (B, G * Q, K), added to the head's class logits; None where there is no guess.
        dense: Outputs of a dense head, for the loss of the initialisation that has one; None for others.
    """

    content: Tensor
    position: Tensor
    reference: Tensor
    num_groups: int
    code_prior: Tensor | None = None
    class_prior: Tensor | None = None
    dense: object | None = None


@MODELS.register_module()
class LearnedQueries(nn.Module):
    """One learned embedding per query, the same for every sample (groups: Group DETR, arXiv 2207.13085).

    Args:
        embed_dims: C.
        num_queries: Q.
        num_groups: G in training.
        reference_dims: D, 3 on a BEV map and 2 in images.
    """

    def __init__(
        self, embed_dims: int = 256, num_queries: int = 900, num_groups: int = 1, reference_dims: int = 3
    ) -> None:
        super().__init__()
        self.num_queries, self.num_groups = num_queries, num_groups
        self.embedding = nn.Embedding(num_groups * num_queries, 2 * embed_dims)
        self.reference = nn.Linear(embed_dims, reference_dims)
        nn.init.xavier_uniform_(self.reference.weight)
        nn.init.zeros_(self.reference.bias)

    def forward(self, features: BEVFeatures | FeatureTokens) -> Queries:
        """Returns the embeddings, repeated for each sample of `features`."""
        groups = self.num_groups if self.training else 1
        embedding = self.embedding.weight[: groups * self.num_queries]
        position, content = embedding.expand(features.batch_size, -1, -1).chunk(2, dim=-1)
        # The first layer reads at the references: in 16 bits they would be off by a fraction of a cell.
        with torch.autocast(position.device.type, enabled=False):
            reference = self.reference(position).sigmoid()
        return Queries(content, position, reference, groups)

    def loss(self, queries: Queries, targets: list[SetTarget]) -> dict[str, Tensor]:
        """No loss of its own."""
        return {}
