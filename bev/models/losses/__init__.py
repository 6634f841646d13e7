"""Losses that several heads share. Each returns values per element; the caller sums and normalises."""

from bev.models.losses.box_distance import BoxDistance
from bev.models.losses.box_overlap import BoxOverlap
from bev.models.losses.centre_heatmap import (
    CentrePatches,
    centre_patches,
    draw_heatmap,
    gaussian_focal_loss,
    mark_cells,
)
from bev.models.losses.focal import PRIOR_LOGIT, FocalLoss
from bev.models.losses.normaliser import mean_over_ranks, without_other_ranks

__all__ = [
    "PRIOR_LOGIT",
    "BoxDistance",
    "BoxOverlap",
    "CentrePatches",
    "FocalLoss",
    "centre_patches",
    "draw_heatmap",
    "gaussian_focal_loss",
    "mark_cells",
    "mean_over_ranks",
    "without_other_ranks",
]
