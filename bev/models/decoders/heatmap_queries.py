"""Queries that start from the peaks of a BEV heatmap.

Learned queries have to discover over many epochs where objects are; here a small dense head, trained beside the
decoder, says where to look, and the decoder refines (TransFusion, arXiv 2203.11496, section 3.2; BEVFormer v2's
two-stage head has the same idea with proposals from the images).

Shapes: B batch, G query groups (1 outside training), Q queries per group, C channels, K classes, H, W rows and columns
of the BEV map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.geometry.boxes import CODE_CENTRE, CODE_SIZE
from bev.geometry.grid import BEVGrid
from bev.models.assigners import SetTarget
from bev.models.decoders.dense_proposals import best_peaks, dense_branch
from bev.models.decoders.heatmap_targets import absolute_codes, heatmap_targets
from bev.models.decoders.place_encoding import PlaceEncoding
from bev.models.decoders.queries import Queries
from bev.models.losses import PRIOR_LOGIT, gaussian_focal_loss, mean_over_ranks
from bev.structures import BEVFeatures


@dataclass
class DenseBoxes:
    """Dense outputs of the heatmap head.

    Attributes:
        logits: (B, K, H, W), class centres.
        codes: (B, 10, H, W), box of an object at this cell: centre x and y in cells from the cell's, z in metres, the
            rest as in the box code.
        grid: Bounds and shape of the map.
    """

    logits: Tensor
    codes: Tensor
    grid: BEVGrid


@dataclass
class Seeds:
    """The places that become queries, best first. Tensors without gradient.

    Attributes:
        cells: (B, Q) int64, flattened cell.
        labels: (B, Q) int64.
        scores: (B, Q), class logits, less the penalty of what is not a local maximum.
        codes: (B, Q, 10), box codes in metres.
    """

    cells: Tensor
    labels: Tensor
    scores: Tensor
    codes: Tensor


@MODELS.register_module()
class HeatmapQueries(nn.Module):
    """Queries at the peaks over (class, cell), with the box that the dense head regresses there.

    Local maxima come first, but cells beside them may follow before the maxima of noise: of objects in a row (barriers,
    parked cars, people), many a one has its centre in the cell beside a higher peak of its own class.
    A query's content is the BEV feature of its cell plus an embedding of its class; its position encodes the regressed
    centre. The regressed size, yaw and velocity and the peak's score are priors, which the decoder's layers correct.
    In training, groups beyond the first start from the same peaks with their reference points moved at random, so that
    the decoder learns to correct wrong centres; the loss of the dense head does not depend on the groups.

    Args:
        embed_dims: C.
        num_classes: K.
        num_queries: Q.
        num_groups: G in training.
        neighbour_penalty: What a cell that is no local maximum among its eight neighbours loses of its class logit.
        jitter: Largest move along x and y of the reference points of groups beyond the first, in cells.
        gaussian_radius: Cells around an object's centre that the heatmap spares and that learn its box.
        heatmap_weight: Factor of the heatmap's loss.
        box_weight: Factor of the regression's loss.
        code_weights: Ten factors of the regressed numbers.
    """

    code_weights: Tensor

    def __init__(
        self,
        embed_dims: int,
        num_classes: int,
        num_queries: int,
        num_groups: int = 1,
        neighbour_penalty: float = 2.0,
        jitter: float = 0.5,
        gaussian_radius: int = 2,
        heatmap_weight: float = 1.0,
        box_weight: float = 0.25,
        code_weights: tuple[float, ...] = (1.0,) * 8 + (0.2,) * 2,
    ) -> None:
        super().__init__()
        self.num_queries, self.num_groups, self.jitter = num_queries, num_groups, jitter
        self.neighbour_penalty, self.gaussian_radius = neighbour_penalty, gaussian_radius
        self.heatmap_weight, self.box_weight = heatmap_weight, box_weight
        self.register_buffer("code_weights", torch.tensor(code_weights), persistent=False)
        # Two branches: with a shared 3x3 convolution both learn visibly slower.
        self.heatmap_branch = dense_branch(embed_dims, num_classes, bias=PRIOR_LOGIT)
        self.box_branch = dense_branch(embed_dims, CODE_SIZE, bias=0.0)
        self.content = nn.Linear(embed_dims, embed_dims)
        self.class_embedding = nn.Embedding(num_classes, embed_dims)
        self.position = PlaceEncoding(3, embed_dims)

    def forward(self, features: BEVFeatures) -> Queries:
        """Finds the peaks.

        Args:
            features: Map (B, C, H, W) in the frame of the ground truth.

        Raises:
            InputError: The map has fewer (class, cell) pairs than there are queries.
        """
        dense = DenseBoxes(self.heatmap_branch(features.map), self.box_branch(features.map), features.grid)
        seeds = self._select(dense)
        groups = self.num_groups if self.training else 1
        reference = self._references(seeds.codes, features.grid, groups)
        cell_features = features.map.flatten(2).gather(2, seeds.cells[:, None].expand(-1, features.map.shape[1], -1))
        content = self.content(cell_features.transpose(1, 2)) + self.class_embedding(seeds.labels)
        code_prior = seeds.codes.clone()
        code_prior[..., CODE_CENTRE] = 0
        return Queries(
            content=content.repeat(1, groups, 1),
            position=self.position(reference),
            reference=reference,
            num_groups=groups,
            code_prior=code_prior.repeat(1, groups, 1),
            class_prior=_class_prior(seeds, dense.logits.shape[1]).repeat(1, groups, 1),
            dense=dense,
        )

    def loss(self, queries: Queries, targets: list[SetTarget]) -> dict[str, Tensor]:
        """Gaussian focal loss of the heatmap and L1 loss of the boxes around the centres, both per object.

        Returns:
            `loss_heatmap` and `loss_proposal`.

        Raises:
            InputError: The queries come from another initialisation.
        """
        dense = queries.dense
        if not isinstance(dense, DenseBoxes):
            raise InputError("these queries have no dense boxes: they were not made by HeatmapQueries")
        num_classes = dense.logits.shape[1]
        target = heatmap_targets(targets, dense.grid, num_classes, self.gaussian_radius)
        per_cell = gaussian_focal_loss(dense.logits.float(), target.heatmap)
        num_objects = mean_over_ranks(target.num_objects, per_cell.device)
        codes = dense.codes.float().permute(0, 2, 3, 1).flatten(0, 2)[target.cells]
        known = torch.isfinite(target.codes)
        distance = (codes - target.codes.where(known, codes)).abs() * self.code_weights * target.weights[:, None]
        total_weight = mean_over_ranks(target.weights.sum())
        return {
            "loss_heatmap": self.heatmap_weight * per_cell.sum() / num_objects,
            "loss_proposal": self.box_weight * distance.sum() / total_weight,
        }

    @torch.no_grad()
    def _select(self, dense: DenseBoxes) -> Seeds:
        scores, cells, labels = best_peaks(dense.logits.float(), self.num_queries, self.neighbour_penalty)
        local = dense.codes.float().flatten(2).gather(2, cells[:, None].expand(-1, CODE_SIZE, -1)).transpose(1, 2)
        return Seeds(cells, labels, scores, absolute_codes(local, cells, dense.grid))

    def _references(self, codes: Tensor, grid: BEVGrid, groups: int) -> Tensor:
        """Centres (B, G * Q, 3) as fractions of the grid, moved at random in groups beyond the first."""
        centres = codes[..., CODE_CENTRE].repeat(1, groups, 1)
        others = centres[:, codes.shape[1] :, :2]
        cell = torch.tensor(grid.cell_size, device=codes.device)
        others += (2 * torch.rand_like(others) - 1) * self.jitter * cell
        # A reference exactly on the border would have an infinite logit, which no correction could move.
        return grid.normalise(centres).clamp(0.001, 0.999)


def _class_prior(seeds: Seeds, num_classes: int) -> Tensor:
    """(B, Q, K): what turns the detection head's initial logit into the peak's."""
    prior = seeds.scores.new_zeros((*seeds.labels.shape, num_classes))
    return prior.scatter_(2, seeds.labels[..., None], seeds.scores[..., None] - PRIOR_LOGIT)
