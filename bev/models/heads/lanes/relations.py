"""Which lane leads into which, and which traffic element governs it: a yes or no for every pair.

Shapes: B batch, Q subjects, E objects, C channels, H hidden channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.losses import PRIOR_LOGIT, FocalLoss


@MODELS.register_module()
class PairRelation(nn.Module):
    """One network for subjects, one for objects, and one that judges every pair (the OpenLane-V2 baseline).

    Args:
        embed_dims: C.
        hidden_dims: H, of each partner in a pair.
        loss: Arguments of `FocalLoss`.
        end_gap: Add a learned function of the gap between one lane's end and the other's start (see `EndGap`).
    """

    def __init__(
        self,
        embed_dims: int = 256,
        hidden_dims: int = 128,
        loss: Mapping[str, Any] | None = None,
        end_gap: bool = False,
    ) -> None:
        super().__init__()
        self.focal_loss = FocalLoss(**(loss or {"weight": 5.0}))
        self.subject = _network(embed_dims, embed_dims, embed_dims, hidden_dims)
        self.object = _network(embed_dims, embed_dims, embed_dims, hidden_dims)
        self.classifier = _network(*[2 * hidden_dims] * 3, 1)
        nn.init.constant_(cast(Tensor, self.classifier[-1].bias), PRIOR_LOGIT)
        self.end_gap = EndGap() if end_gap else None

    def forward(self, subjects: Tensor, objects: Tensor, gaps: Tensor | None = None) -> Tensor:
        """Logit of every pair.

        Args:
            subjects: (B, Q, C) states.
            objects: (B, E, C) states.
            gaps: (B, Q, E) metres from a subject's end to an object's start; unused without `end_gap`.

        Returns:
            (B, Q, E).
        """
        first, rest = cast(nn.Linear, self.classifier[0]), self.classifier[1:]
        # The first layer sees two partners side by side; applied to each alone, it runs Q + E times and not Q * E.
        of_subject, of_object = first.weight.chunk(2, dim=1)
        ours = F.linear(self.subject(subjects), of_subject, first.bias)
        theirs = F.linear(self.object(objects), of_object)
        pairs = ours[:, :, None] + theirs[:, None]
        logits = rest(pairs).squeeze(-1)
        if self.end_gap is None or gaps is None:
            return logits
        return logits + self.end_gap(gaps)

    def loss(self, logits: Tensor, related: Tensor) -> Tensor:
        """Focal loss, meaned over all pairs: logits (B, Q, E) and bool (B, Q, E) to ()."""
        return self.focal_loss(logits.float(), related).mean()


class EndGap(nn.Module):
    """Learned bump over the gap between two lanes (after TopoLogic, arXiv 2405.14747).

    gain * exp(-(gap / scale) ** power): what ends where the other begins is likely to lead into it, and how near that
    has to be is learned.
    """

    def __init__(self, scale: float = 2.0, power: float = 2.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.log_power = nn.Parameter(torch.tensor(math.log(power)))

    def forward(self, gaps: Tensor) -> Tensor:
        """Gaps (...), metres, to what is added to the logits (...)."""
        # Of the logarithm, since the derivative of a power by its exponent has no value at 0.
        distance = gaps.float().clamp(min=1e-3).log() - self.log_scale
        return self.gain * (-(self.log_power.exp() * distance).exp()).exp()


def _network(*widths: int) -> nn.Sequential:
    """Linear layers between these widths, with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
