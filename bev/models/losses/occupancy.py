"""Losses of voxels' classes. Each takes the voxels that count and returns a scalar.

The cross-entropy is that of all processes' voxels together; the others, which are no sums over voxels, are those of
each process's own.

Shapes: N voxels that count, K classes, free space last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.datasets.occ3d.classes import MASKS
from bev.errors import InputError
from bev.models.losses.normaliser import mean_over_ranks

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
            raise InputError(f"mask must be None, 'camera' or 'lidar', not {mask!r}")
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
                raise InputError(f"class_counts must be at least 2 for every class, not {tuple(class_counts)}")
            weights = torch.tensor([1 / math.log(count) for count in class_counts])
            weights = weights / weights.mean()
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) with labels (N,) int64."""
        total = F.cross_entropy(logits, labels, self.class_weights, reduction="sum")
        return self.weight * total / mean_over_ranks(len(labels), logits.device)


@MODELS.register_module()
class LovaszSoftmax(VoxelLoss):
    """A surrogate of 1 - mIoU over the classes that occur (Berman et al., arXiv 1705.08790, equation 12).

    Args:
        bins: Errors, which lie in [0, 1], are told apart to 1 / bins only, so that they are counted instead of sorted;
            the loss changes by less than that. None sorts them.
        **kwargs: See `VoxelLoss`.

    Raises:
        InputError: If `bins` is not positive.
    """

    name = "lovasz"

    def __init__(self, bins: int | None = None, **kwargs: float | str | None) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        if bins is not None and bins < 1:
            raise InputError(f"bins must be positive or None, not {bins}")
        self.bins = bins

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) with labels (N,) int64."""
        classes = logits.shape[1]
        present = torch.bincount(labels, minlength=classes) > 0
        belongs = labels[:, None] == torch.arange(classes, device=labels.device)
        probabilities = logits.softmax(-1)
        errors = (probabilities - belongs.to(probabilities.dtype)).abs()
        with torch.no_grad():
            steps = _sorted(errors, belongs) if self.bins is None else _binned(errors, labels, self.bins)
            weights = torch.where(present, steps, 0.0).to(errors.dtype)
        return self.weight * (errors * weights).sum() / present.sum().clamp(min=1)


def _sorted(errors: Tensor, belongs: Tensor) -> Tensor:
    """Slopes (N, K) of the Lovasz extension at errors (N, K): the steps of the Jaccard loss, largest error first."""
    order = errors.t().argsort(dim=1, descending=True)
    hits = belongs.t().gather(1, order).cumsum(1)
    seen = torch.arange(1, errors.shape[0] + 1, device=errors.device)
    steps = _jaccard_steps(seen, hits)
    return torch.empty_like(steps).scatter_(1, order, steps).t()


def _binned(errors: Tensor, labels: Tensor, bins: int) -> Tensor:
    """The same with errors of one bin taken as equal, which share the bin's step."""
    classes = errors.shape[1]
    index = ((1 - errors) * bins).int().clamp_(0, bins - 1)
    index += bins * torch.arange(classes, dtype=torch.int32, device=errors.device)
    counts = torch.bincount(index.flatten(), minlength=classes * bins).view(classes, bins)
    own = index.gather(1, labels[:, None])
    hits = torch.bincount(own.flatten(), minlength=classes * bins).view(classes, bins)
    steps = _jaccard_steps(counts.cumsum(1), hits.cumsum(1)) / counts.clamp(min=1)
    return steps.flatten().index_select(0, index.flatten()).view(index.shape)


def _jaccard_steps(seen: Tensor, hits: Tensor) -> Tensor:
    """How much the Jaccard loss (K, S) grows with each step, from counts of voxels seen and of hits among them."""
    total = hits[:, -1:]
    jaccard = 1 - (total - hits) / (total + seen - hits).clamp(min=1)
    return torch.diff(jaccard, dim=1, prepend=torch.zeros_like(jaccard[:, :1]))


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
            raise InputError(f"kind must be 'geometric' or 'semantic', not {kind!r}")
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
