"""Object queries joined by the perspective head's proposals (BEVFormer v2, arXiv 2211.10439, section 3.4, figure 3).

Proposals say where in this very scene objects may be; learned queries cover what no single image shows well.

Shapes: B batch, G query groups (1 outside training), Q queries of the base and M proposals per group, C channels, K
classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.boxes import CODE_CENTRE
from bev.models.assigners import SetTarget
from bev.models.decoders.place_encoding import PlaceEncoding
from bev.models.decoders.queries import Queries
from bev.structures import BEVFeatures, Proposals


@MODELS.register_module()
class HybridQueries(nn.Module):
    """Hybrid object queries: each group has the queries of another initialisation and one query per proposal.

    A proposal's query starts at the proposal's centre; its content is an embedding of its rank plus one of its class.
    Ranks that a sample has no proposal for start at a learned place.

    Args:
        embed_dims: C.
        num_classes: Classes of the proposals.
        num_queries: Q of learned queries, as in the paper; None where `base` is given.
        num_proposals: M, at most as many as the perspective head proposes.
        num_groups: G in training.
        box_prior: Let the decoder's layers correct the proposed size, yaw and velocity, instead of regressing them
            afresh as the paper does.
        base: Config of another initialisation in place of learned queries, such as `HeatmapQueries`.

    Raises:
        InputError: If not exactly one of `num_queries` and `base` is given.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_classes: int = 10,
        num_queries: int | None = None,
        num_proposals: int = 100,
        num_groups: int = 1,
        box_prior: bool = False,
        base: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if (num_queries is None) == (base is None):
            raise InputError("HybridQueries takes num_queries, or the config of another initialisation as base")
        self.num_proposals, self.num_groups, self.box_prior = num_proposals, num_groups, box_prior
        learned = {"type": "LearnedQueries", "embed_dims": embed_dims, "num_queries": num_queries}
        self.base = MODELS.build({**(learned if base is None else base), "num_groups": num_groups})
        self.content = nn.Embedding(num_groups * num_proposals, embed_dims)
        self.fallback = nn.Embedding(num_groups * num_proposals, 3)
        self.class_embedding = nn.Embedding(num_classes, embed_dims)
        self.position = PlaceEncoding(3, embed_dims)

    def forward(self, features: BEVFeatures) -> Queries:
        """Joins both kinds.

        Args:
            features: BEV features with proposals in the same frame.

        Raises:
            InputError: If there are no proposals, or fewer slots than this module takes.
        """
        proposals = features.proposals
        if proposals is None:
            raise InputError("HybridQueries needs proposals: set proposals_from of the perceptor to a perspective head")
        if proposals.scores.shape[1] < self.num_proposals:
            raise InputError(
                f"HybridQueries takes {self.num_proposals} proposals, but the perspective head makes "
                f"{proposals.scores.shape[1]}: raise its max_num"
            )
        own = self.base(features)
        groups = own.num_groups
        chosen = proposals.select(self.num_proposals)
        reference = self._references(chosen, features, groups)
        ranks = self.content.weight[: groups * self.num_proposals].unflatten(0, (groups, -1))
        classes = self.class_embedding(chosen.labels) * chosen.valid[..., None]
        content = ranks + classes[:, None]
        position = self.position(reference)
        return Queries(
            content=_join(own.content, content, groups),
            position=_join(own.position, position, groups),
            reference=_join(own.reference, reference, groups),
            num_groups=groups,
            code_prior=self._code_prior(chosen, own, groups),
            class_prior=self._class_prior(own, groups),
            dense=own.dense,
        )

    def loss(self, queries: Queries, targets: list[SetTarget]) -> dict[str, Tensor]:
        """The base's; the perspective head learns from its own losses."""
        return self.base.loss(queries, targets)

    def _references(self, proposals: Proposals, features: BEVFeatures, groups: int) -> Tensor:
        """(B, G, M, 3) fractions of the grid."""
        centres = features.grid.normalise(proposals.codes[..., CODE_CENTRE])[:, None].expand(-1, groups, -1, -1)
        # A reference exactly on the border would have an infinite logit, which no correction could move.
        centres = centres.clamp(0.001, 0.999)
        fallback = self.fallback.weight[: groups * self.num_proposals].sigmoid().unflatten(0, (groups, -1))
        return torch.where(proposals.valid[:, None, :, None], centres, fallback)

    def _code_prior(self, proposals: Proposals, own: Queries, groups: int) -> Tensor | None:
        if not self.box_prior and own.code_prior is None:
            return None
        prior = torch.where(proposals.valid[..., None] & self.box_prior, proposals.codes, 0.0)
        prior[..., CODE_CENTRE] = 0
        first = own.code_prior
        if first is None:
            first = prior.new_zeros(*own.reference.shape[:2], prior.shape[-1])
        return _join(first, prior[:, None].expand(-1, groups, -1, -1), groups)

    def _class_prior(self, own: Queries, groups: int) -> Tensor | None:
        if own.class_prior is None:
            return None
        shape = (len(own.class_prior), groups, self.num_proposals, own.class_prior.shape[-1])
        return _join(own.class_prior, own.class_prior.new_zeros(shape), groups)


def _join(own: Tensor, proposed: Tensor, groups: int) -> Tensor:
    """(B, G * Q, X) and (B, G, M, X), group by group, to (B, G * (Q + M), X) of the more precise type of both."""
    batch = len(proposed)
    by_group = own.expand(batch, -1, -1).unflatten(1, (groups, -1))
    return torch.cat([by_group, proposed], dim=2).flatten(1, 2)
