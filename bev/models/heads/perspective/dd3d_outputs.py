"""What DD3D's head says about the images, and how it is read.

Shapes: P images, K classes, h, w size of a feature level, R places of all levels and images, D places asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bev.models.heads.perspective.assignment import Places
from bev.models.heads.perspective.camera_boxes import BoxDecoder, CameraBoxes
from bev.structures import CameraClip


@dataclass
class DD3DOutputs:
    """Dense outputs for the images of the current frame, per level; channels vary by class last.

    Attributes:
        logits: (P, K, h, w) classes.
        distances: (P, 4, h, w) to left, top, right, bottom of the outline, pixels.
        centredness: (P, 1, h, w) logits.
        quaternions: (P, 4 K, h, w) rotations, real part first.
        centres: (P, 2 K, h, w) from the place to the projected centre, pixels.
        depths: (P, K, h, w) for the reference focal length.
        sizes: (P, 3 K, h, w) relative to the class's size.
        confidences: (P, K, h, w) logits.
        attributes: (P, 3, h, w) logits.
        speeds: (P, 1, h, w) metres per second.
        clip: The clip that the features come from.
    """

    logits: list[Tensor]
    distances: list[Tensor]
    centredness: list[Tensor]
    quaternions: list[Tensor]
    centres: list[Tensor]
    depths: list[Tensor]
    sizes: list[Tensor]
    confidences: list[Tensor]
    attributes: list[Tensor]
    speeds: list[Tensor]
    clip: CameraClip

    @property
    def num_images(self) -> int:
        """P."""
        return len(self.logits[0])

    def flat(self, name: str) -> Tensor:
        """One of the outputs at all places: (R, channels), float32, level by level, then image by image."""
        levels = getattr(self, name)
        return torch.cat([level.permute(0, 2, 3, 1).flatten(0, 2) for level in levels]).float()

    def places(self, strides: Sequence[int]) -> Places:
        """The places that the outputs belong to, on levels with these strides in pixels."""
        shapes = [(level.shape[-2], level.shape[-1]) for level in self.logits]
        return Places.of(shapes, strides, self.logits[0].device)

    def class_values(self, name: str, chosen: Tensor, labels: Tensor) -> Tensor:
        """One of the outputs (D, numbers) for the given class of each place.

        Args:
            name: Which one.
            chosen: (D,) int64 places among the R.
            labels: (D,) int64.
        """
        values = self.flat(name)[chosen].unflatten(1, (-1, self.logits[0].shape[1]))
        return values.gather(2, labels[:, None, None].expand(-1, values.shape[1], 1)).squeeze(2)

    def boxes_at(
        self, decoder: BoxDecoder, chosen: Tensor, labels: Tensor, locations: Tensor, intrinsics: Tensor
    ) -> CameraBoxes:
        """3D boxes of some classes at some places.

        Args:
            decoder: Turns the outputs into boxes.
            chosen: (D,) int64 places among the R.
            labels: (D,) int64.
            locations: (D, 2) of the places, pixels.
            intrinsics: (D, 3, 3) of their images.
        """
        quaternions, centres, depths, sizes = (
            self.class_values(name, chosen, labels) for name in ("quaternions", "centres", "depths", "sizes")
        )
        return decoder(quaternions, centres, depths[:, 0], sizes, locations, intrinsics, labels)
