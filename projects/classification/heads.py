"""Heads of image classifiers.

Shapes: B images, K classes.
"""

from __future__ import annotations

from mmpretrain.models import ClsHead
from mmpretrain.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class LogitsHead(ClsHead):
    """Loss and predictions for a backbone that classifies by itself, as InternImage does with `num_classes`.

    The weights keep the names of the published classifiers, behind `backbone.`.
    """

    def pre_logits(self, feats: Tensor) -> Tensor:
        """The logits (B, K) as they are."""
        return feats
