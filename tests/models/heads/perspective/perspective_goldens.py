"""What the goldens of the perspective head hold, in our terms."""

from __future__ import annotations

import golden_bevformer as reference
import torch
from torch import Tensor

from bev.models.heads.perspective import DD3DHead
from bev.models.heads.perspective.camera_boxes import CameraBoxes, quaternion_matrices
from bev.models.heads.perspective.objects import ImageObjects


def build_head() -> DD3DHead:
    """The published head with the golden weights, losses as published."""
    return reference.build_part(reference.perspective_config(), "heads.perspective.")


def image_objects(annotations: Tensor, intrinsic: Tensor) -> ImageObjects:
    """Rows of image, outline, quaternion, position, size, class, attribute and speed."""
    positions = annotations[:, 9:12]
    projected = positions @ intrinsic.T
    return ImageObjects(
        images=annotations[:, 0].long(),
        outlines=annotations[:, 1:5],
        boxes=CameraBoxes(
            rotations=quaternion_matrices(annotations[:, 5:9]),
            centres=projected[:, :2] / projected[:, 2:],
            depths=positions[:, 2],
            sizes=annotations[:, 12:15],
            intrinsics=intrinsic.expand(len(annotations), 3, 3),
        ),
        labels=annotations[:, 15].long(),
        attributes=annotations[:, 16].long(),
        speeds=annotations[:, 17],
    )


def no_objects(intrinsic: Tensor) -> ImageObjects:
    """None at all."""
    return image_objects(torch.zeros(0, 18), intrinsic)
