"""Feature maps of several levels as one sequence that queries read.

Shapes: B batch, L levels, S places of all levels together, C channels, Q queries, H, W height and width of a level.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(eq=False)
class FeatureTokens:
    """What the queries of a decoder read: a BEV map, or the pyramid of an image.

    Attributes:
        values: (B, S, C), levels one after the other, rows first.
        shapes: Height and width of each level.
        padding: (B, S) bool, True where a level covers the padding of its image; None without padding.
        valid: (B, L, 2) how much of each level's width and height is not padding, in (0, 1]; None without padding.
    """

    values: Tensor
    shapes: list[tuple[int, int]]
    padding: Tensor | None = None
    valid: Tensor | None = None

    @classmethod
    def of_map(cls, feature_map: Tensor) -> FeatureTokens:
        """A single map (B, C, H, W) without padding."""
        return cls(feature_map.flatten(2).transpose(1, 2), [(feature_map.shape[-2], feature_map.shape[-1])])

    @property
    def batch_size(self) -> int:
        """B."""
        return len(self.values)

    def on_levels(self, fractions: Tensor) -> Tensor:
        """Fractions (B, Q, 2) of what is not padding to fractions of each whole level (B, Q, L, 2)."""
        if self.valid is None:
            return fractions[:, :, None].expand(-1, -1, len(self.shapes), -1)
        return fractions[:, :, None] * self.valid[:, None]

    def cell_centres(self) -> Tensor:
        """(B, S, 2) x and y of every place, in fractions of what is not padding."""
        centres = []
        for level, (height, width) in enumerate(self.shapes):
            y, x = (torch.arange(size, device=self.values.device) + 0.5 for size in (height, width))
            places = torch.stack(torch.meshgrid(y / height, x / width, indexing="ij")[::-1], -1).flatten(0, 1)
            valid = places.new_ones(1, 2) if self.valid is None else self.valid[:, level]
            centres.append((places / valid[:, None]).expand(self.batch_size, -1, -1))
        return torch.cat(centres, dim=1)
