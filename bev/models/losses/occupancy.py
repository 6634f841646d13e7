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
    """A surrogate of 1 - mIoU over the classes that occur (Berman et al., arXiv 1705.08790, equation 12).

    Args:
        bins: Errors, which lie in [0, 1], are told apart to 1 / bins only, so that they are counted instead of sorted;
            the loss changes by less than that. None sorts them.
        **kwargs: See `VoxelLoss`.

    Raises:
        ValueError: If `bins` is not positive.
    """

    name = "lovasz"

    def __init__(self, bins: int | None = None, **kwargs: float | str | None) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        if bins is not None and bins < 1:
            raise ValueError(f"bins must be positive or None, not {bins}")
        self.bins = bins

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) with labels (N,) int64."""
        present = torch.bincount(labels, minlength=logits.shape[1]).nonzero()
        if not len(present):
            return logits.sum() * 0
        belongs = labels == present
        probabilities = logits.softmax(-1).t()[present[:, 0]]
        errors = torch.where(belongs, 1 - probabilities, probabilities)
        with torch.no_grad():
            weights = _lovasz_weights(errors, belongs) if self.bins is None else _binned(errors, belongs, self.bins)
        return self.weight * (errors * weights).sum() / len(present)


def _lovasz_weights(errors: Tensor, belongs: Tensor) -> Tensor:
    """Slopes (P, N) of the Lovasz extension at errors (P, N) of P classes: the steps of the Jaccard loss."""
    order = errors.argsort(dim=1, descending=True)
    hits = belongs.gather(1, order).cumsum(1)
    seen = torch.arange(1, errors.shape[1] + 1, device=errors.device)
    return torch.empty_like(errors).scatter_(1, order, _jaccard_steps(seen, hits).to(errors.dtype))


def _binned(errors: Tensor, belongs: Tensor, bins: int) -> Tensor:
    """The same with errors of one bin taken as equal, which share the bin's step."""
    classes = len(errors)
    index = ((1 - errors) * bins).long().clamp_(0, bins - 1)
    index += bins * torch.arange(classes, device=errors.device)[:, None]
    counts = torch.bincount(index.flatten(), minlength=classes * bins).view(classes, bins)
    hits = torch.bincount(index[belongs], minlength=classes * bins).view(classes, bins)
    steps = _jaccard_steps(counts.cumsum(1), hits.cumsum(1)) / counts.clamp(min=1)
    return steps.to(errors.dtype).flatten()[index]


def _jaccard_steps(seen: Tensor, hits: Tensor) -> Tensor:
    """How much the Jaccard loss (P, S) grows with each step, from counts of voxels seen and of hits among them."""
    total = hits[:, -1:]
    jaccard = 1 - (total - hits) / (total + seen - hits)
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
