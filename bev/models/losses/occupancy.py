"""Losses of voxels' classes. Each takes the voxels that count and returns a scalar.

Shapes: N voxels that count, K classes, free space last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

MASKS = ("camera", "lidar")
_EPSILON = 1e-5


class VoxelLoss(nn.Module):
    """What all of them share.

    Args:
        weight: Factor.
        mask: "camera" or "lidar" to count only voxels that these see; None for all that are known.
    """

    name: str

    def __init__(self, weight: float = 1.0, mask: str | None = None) -> None:
        super().__init__()
        if mask is not None and mask not in MASKS:
            raise ValueError(f"mask must be None, 'camera' or 'lidar', not {mask!r}")
        self.weight, self.mask = weight, mask


@MODELS.register_module()
class VoxelCrossEntropy(VoxelLoss):
    """Mean cross-entropy of the voxels that count.

    Args:
        class_counts: How often each class occurs in the training set, for weights 1 / log(count) scaled to a mean of 1:
            rare classes count more (as in MonoScene, arXiv 2112.00726, section 3.4). None for equal weights.
        **kwargs: See `VoxelLoss`.
    """

    name = "cross_entropy"
    class_weights: Tensor | None

    def __init__(self, class_counts: Sequence[int] | None = None, **kwargs: float | str | None) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        weights = None
        if class_counts is not None:
            if min(class_counts) < 2:
                raise ValueError(f"class_counts must be at least 2 for every class, not {tuple(class_counts)}")
            weights = torch.tensor([1 / math.log(count) for count in class_counts])
            weights = weights / weights.mean()
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) with labels (N,) int64."""
        total = F.cross_entropy(logits, labels, self.class_weights, reduction="sum")
        return self.weight * total / max(len(labels), 1)


@MODELS.register_module()
class LovaszSoftmax(VoxelLoss):
    """A surrogate of 1 - mIoU over the classes that occur (Berman et al., arXiv 1705.08790, equation 12)."""

    name = "lovasz"

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) with labels (N,) int64."""
        probabilities = logits.softmax(-1)
        present = torch.bincount(labels, minlength=logits.shape[1]).nonzero().flatten().tolist()
        losses = [_lovasz_of_class(probabilities[:, k], labels == k) for k in present]
        return self.weight * torch.stack(losses).mean() if losses else logits.sum() * 0


def _lovasz_of_class(probability: Tensor, belongs: Tensor) -> Tensor:
    """Lovasz extension of the Jaccard loss at the errors of one class (N,)."""
    errors, order = (belongs.float() - probability).abs().sort(descending=True)
    hits = belongs[order].float()
    missed = hits.sum() - hits.cumsum(0)
    jaccard = 1 - missed / (hits.sum() + (1 - hits).cumsum(0))
    steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return errors @ steps


@MODELS.register_module()
class SceneClassAffinity(VoxelLoss):
    """Precision, recall and specificity of a whole scene, as log losses (MonoScene, arXiv 2112.00726, equation 1).

    Args:
        kind: "geometric": occupied against free; "semantic": the mean over the classes that occur.
        **kwargs: See `VoxelLoss`.
    """

    def __init__(self, kind: str, **kwargs: float | str | None) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        if kind not in ("geometric", "semantic"):
            raise ValueError(f"kind must be 'geometric' or 'semantic', not {kind!r}")
        self.kind = kind
        self.name = f"affinity_{kind}"

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) with labels (N,) int64."""
        probabilities = logits.softmax(-1)
        free = logits.shape[1] - 1
        if self.kind == "geometric":
            return self.weight * _affinity(1 - probabilities[:, free], labels != free)
        present = torch.bincount(labels, minlength=free + 1).nonzero().flatten().tolist()
        losses = [_affinity(probabilities[:, k], labels == k) for k in present]
        return self.weight * torch.stack(losses).mean() if losses else logits.sum() * 0


def _affinity(probability: Tensor, belongs: Tensor) -> Tensor:
    """-log precision - log recall - log specificity of one class's probabilities (N,); terms without voxels are 0."""
    truth = belongs.float()
    both = probability @ truth
    terms = [
        (both, probability.sum(), belongs.any()),
        (both, truth.sum(), belongs.any()),
        ((1 - probability) @ (1 - truth), (1 - truth).sum(), (~belongs).any()),
    ]
    loss = probability.sum() * 0
    for part, whole, defined in terms:
        share = part / whole.clamp(min=_EPSILON)
        loss = loss - torch.where(defined, share.clamp(_EPSILON, 1.0).log(), 0.0)
    return loss
