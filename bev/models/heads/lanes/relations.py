"""Which lane leads into which, and which traffic element governs it: a yes or no for every pair.

Shapes: B batch, Q subjects, E objects, C channels, H hidden channels, D numbers of a curve's code.
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

JOINT_SIZE = 5
GAP_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Metres; how near two lanes meet is told as exp(-gap / scale) for each."""


@MODELS.register_module()
class PairRelation(nn.Module):
    """One network for subjects, one for objects, and one that judges every pair (the OpenLane-V2 baseline).

    Args:
        embed_dims: C.
        hidden_dims: H, of each partner in a pair.
        loss: Arguments of `FocalLoss`.
        end_gap: Add a learned function of the gap between one lane's end and the other's start (see `EndGap`).
        end_joint: Let the network that judges pairs see how the other's start lies to one's end (see `EndJoint`).
    """

    def __init__(
        self,
        embed_dims: int = 256,
        hidden_dims: int = 128,
        loss: Mapping[str, Any] | None = None,
        end_gap: bool = False,
        end_joint: bool = False,
    ) -> None:
        super().__init__()
        self.focal_loss = FocalLoss(**(loss or {"weight": 5.0}))
        self.subject = _network(embed_dims, embed_dims, embed_dims, hidden_dims)
        self.object = _network(embed_dims, embed_dims, embed_dims, hidden_dims)
        self.classifier = _network(*[2 * hidden_dims] * 3, 1)
        nn.init.constant_(cast(Tensor, self.classifier[-1].bias), PRIOR_LOGIT)
        self.end_gap = EndGap() if end_gap else None
        self.end_joint = EndJoint(2 * hidden_dims) if end_joint else None

    def forward(self, subjects: Tensor, objects: Tensor, joints: Tensor | None = None) -> Tensor:
        """Logit of every pair.

        Args:
            subjects: (B, Q, C) states.
            objects: (B, E, C) states.
            joints: (B, Q, E, 5) of `lane_joints`; unused without `end_gap` and `end_joint`.

        Returns:
            (B, Q, E).
        """
        first, rest = cast(nn.Linear, self.classifier[0]), self.classifier[1:]
        # The first layer sees two partners side by side; applied to each alone, it runs Q + E times and not Q * E.
        of_subject, of_object = first.weight.chunk(2, dim=1)
        ours = F.linear(self.subject(subjects), of_subject, first.bias)
        theirs = F.linear(self.object(objects), of_object)
        pairs = ours[:, :, None] + theirs[:, None]
        if self.end_joint is not None and joints is not None:
            pairs = pairs + self.end_joint(joints)
        logits = rest(pairs).squeeze(-1)
        if self.end_gap is None or joints is None:
            return logits
        return logits + self.end_gap(joints[..., 0])

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


class EndJoint(nn.Module):
    """What the joints of two lanes add to the first layer of the network that judges the pair.

    Args:
        channels: Of that layer's output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.network = _network(len(GAP_SCALES) + JOINT_SIZE - 1, channels, channels)

    def forward(self, joints: Tensor) -> Tensor:
        """Joints (..., 5) as `lane_joints` gives them to (..., channels)."""
        gap, step, turn = joints.float().split((1, 2, 2), dim=-1)
        # All between -1 and 1: beyond some metres it does not matter how far away another lane begins.
        near = (-gap / gap.new_tensor(GAP_SCALES)).exp()
        return self.network(torch.cat([near, (step / GAP_SCALES[-1]).tanh(), turn], dim=-1))


def lane_joints(codes: Tensor) -> Tensor:
    """How the start of each lane lies to the end of each, without gradient.

    Args:
        codes: (B, Q, D) of lanes, metres.

    Returns:
        (B, Q, Q, 5) float32: the gap from the row's end to the column's start, metres; the column's start ahead of and
        to the left of the row's end, as the row's lane runs, metres; cosine and sine of the turn from the direction in
        which the row's lane ends to that in which the column's begins.
    """
    control = codes.detach().float().unflatten(-1, (-1, 3))
    leaving = F.normalize(control[..., -1, :2] - control[..., -2, :2], dim=-1)[:, :, None]
    arriving = F.normalize(control[..., 1, :2] - control[..., 0, :2], dim=-1)[:, None]
    step = control[:, None, :, 0] - control[:, :, None, -1]
    return torch.stack(
        [step.norm(dim=-1), *_along(leaving, step[..., :2]), *_along(leaving, arriving)],
        dim=-1,
    )


def _along(direction: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
    """Parts (...) of vectors (..., 2) along unit directions (..., 2) and to the left of them."""
    (x, y), (u, v) = direction.unbind(-1), vector.unbind(-1)
    return x * u + y * v, x * v - y * u


def _network(*widths: int) -> nn.Sequential:
    """Linear layers between these widths, with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
