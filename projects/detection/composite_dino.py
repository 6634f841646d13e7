"""DINO on a composite backbone (CBNetV2, https://arxiv.org/abs/2107.00420, section 3.4: supervision of both parts).

Shapes: B images, H W their padded height and width.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.detectors import DINO
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS


@MODELS.register_module()
class CompositeDINO(DINO):
    """DINO that also learns from the assisting backbone's maps; it detects on the lead backbone's alone.

    Neck, transformer and head are the same for both. mmdet's other arguments follow.

    Args:
        assisting_weight: Factor on the losses that come from the assisting backbone's maps.
    """

    def __init__(self, *args: Any, assisting_weight: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.assisting_weight = assisting_weight

    def loss(self, batch_inputs: torch.Tensor, batch_data_samples: list[DetDataSample]) -> dict[str, torch.Tensor]:
        """Losses of both backbones' maps.

        Args:
            batch_inputs: Normalised images (B, 3, H, W).
            batch_data_samples: Their objects.

        Returns:
            DINO's losses on the lead backbone's maps, and the weighted ones on the assisting backbone's, whose names
            begin with `assisting.`.
        """
        assisting, lead = self.backbone.forward_both(batch_inputs)
        weighted = self._losses(assisting, batch_data_samples)
        losses = {f"assisting.{name}": self.assisting_weight * value for name, value in weighted.items()}
        return {**losses, **self._losses(lead, batch_data_samples)}

    def _losses(
        self, maps: tuple[torch.Tensor, ...], batch_data_samples: list[DetDataSample]
    ) -> dict[str, torch.Tensor]:
        outputs = self.forward_transformer(self.neck(maps), batch_data_samples)
        return self.bbox_head.loss(**outputs, batch_data_samples=batch_data_samples)
