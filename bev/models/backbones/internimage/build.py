"""Building InternImage in Python; configs name it as `dict(type="InternImage", variant=...)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bev.models.backbones.internimage.model import InternImage


def build_internimage(
    variant: str, num_classes: int | None = None, out_indices: Sequence[int] | None = None, **overrides: Any
) -> InternImage:
    """Build a published variant, or a model near one.

    Args:
        variant: One of t, s, b, l, xl, h, g.
        num_classes: Makes a classifier, which returns logits (B, num_classes).
        out_indices: Stages whose maps a feature extractor returns as a tuple of (B, C, H, W); all by default.
        **overrides: Other arguments of `InternImage` (`with_cp`, `keep_all_stages`) and fields of `Architecture`.

    Example:
        >>> classifier = build_internimage("t", num_classes=1000)
        >>> features = build_internimage("xl", out_indices=(1, 2, 3), drop_path_rate=0.4, with_cp=True)
        >>> tiny = build_internimage(
        ...     "t", out_indices=(0, 1), channels=32, depths=(1, 1), groups=(2, 4), stem_norm="BN", drop_path_rate=0.0
        ... )
    """
    return InternImage(variant, num_classes=num_classes, out_indices=out_indices, **overrides)
