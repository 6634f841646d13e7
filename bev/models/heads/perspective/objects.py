"""Ground truth of perspective heads: which object each image shows, where in it, and how it stands to the camera.

Shapes: B batch, N cameras, P images (valid cameras of the current frame), G boxes of a sample, M objects in images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import BaseInstance3DBoxes, Det3DDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from bev.geometry.cameras import project, split_projection
from bev.models.heads.perspective.camera_boxes import CameraBoxes
from bev.structures import CameraClip
from bev.structures.attributes import NO_ATTRIBUTE

MIN_CORNER_DEPTH = 0.1  # metres: boxes that reach behind the camera have no outline in the image
MIN_SEEN_DEPTH = 1.0  # metres: as the devkit's visibility test


@dataclass(frozen=True)
class ImageObjects:
    """Objects that the images of a batch show.

    Attributes:
        images: (M,) int64, which of the P images.
        outlines: (M, 4) left, top, right, bottom of the visible part, pixels.
        boxes: In the frame of their camera.
        labels: (M,) int64.
        attributes: (M,) int64 in 0..2, `NO_ATTRIBUTE` where there is none.
        speeds: (M,) metres per second, NaN where unknown.
    """

    images: Tensor
    outlines: Tensor
    boxes: CameraBoxes
    labels: Tensor
    attributes: Tensor
    speeds: Tensor

    @classmethod
    def concatenate(cls, parts: Sequence[ImageObjects]) -> ImageObjects:
        """All objects of several of these."""
        boxes = CameraBoxes(
            *(torch.cat(values) for values in zip(*(vars(p.boxes).values() for p in parts), strict=True))
        )
        rest = {
            name: torch.cat([getattr(part, name) for part in parts])
            for name in ("images", "outlines", "labels", "attributes", "speeds")
        }
        return cls(boxes=boxes, **rest)


@dataclass(frozen=True)
class Sight:
    """What counts as seen.

    Attributes:
        min_visibility: Smallest part of a box's outline that lies inside the image.
        min_points: Fewest LiDAR and radar points in a box, where the data set tells.
    """

    min_visibility: float = 0.2
    min_points: int = 3


def image_intrinsics(clip: CameraClip) -> tuple[Tensor, Tensor]:
    """Intrinsics (P, 3, 3) and cam_T_bev (P, 4, 4) of the valid cameras of the current frame, float32.

    The bev frame is the one without augmentation; mirrored images have a rotation of determinant -1.
    """
    mask = clip.current_mask
    intrinsics, cam_T_bev = split_projection(clip.pix_T_bev[:, clip.current][mask].double())
    return intrinsics.float(), cam_T_bev.float()


def objects_in_images(samples: Sequence[Det3DDataSample], clip: CameraClip, sight: Sight) -> ImageObjects:
    """Finds the objects that each image of the current frame shows.

    Args:
        samples: B samples with `gt_instances_3d` in the augmented bev frame; their fields `attributes`, `speeds` and
            `num_points` are used where present.
        clip: Projections and image sizes.
        sight: What counts as seen.
    """
    mask = clip.current_mask
    intrinsics, cam_T_bev = image_intrinsics(clip)
    sizes = clip.image_sizes[:, clip.current][mask]
    bev_T_aug = clip.bev_T_aug.float()
    owners = mask.nonzero()[:, 0].tolist()
    parts = [
        _objects_of_image(image, samples[b], intrinsics[image], cam_T_bev[image] @ bev_T_aug[b], sizes[image], sight)
        for image, b in enumerate(owners)
    ]
    return ImageObjects.concatenate(parts)


def _objects_of_image(
    image: int, sample: Det3DDataSample, intrinsic: Tensor, cam_T_aug: Tensor, size: Tensor, sight: Sight
) -> ImageObjects:
    instances = sample.gt_instances_3d
    device = intrinsic.device
    boxes = _in_camera(instances.bboxes_3d.to(device), cam_T_aug, intrinsic)
    corners = boxes.corners()
    projection = torch.eye(4, device=device)
    projection[:3, :3] = intrinsic
    pixels, depths = project(projection, corners)
    limit = size.flip(-1).to(pixels)
    inside = ((pixels > 0) & (pixels < limit)).all(-1) & (depths > MIN_SEEN_DEPTH)
    outline = torch.cat([pixels.amin(1), pixels.amax(1)], -1)
    visible = torch.cat([outline[:, :2].clamp(min=0), torch.minimum(outline[:, 2:], limit)], -1)
    share = _area(visible) / _area(outline).clamp(min=1e-6)
    points = _field(instances, "num_points", sight.min_points, torch.int64, device)
    seen = inside.any(1) & (depths > MIN_CORNER_DEPTH).all(1) & (share >= sight.min_visibility)
    seen &= (points >= sight.min_points) & (_area(visible) > 0)
    return ImageObjects(
        images=torch.full((int(seen.sum()),), image, device=device),
        outlines=visible[seen],
        boxes=boxes[seen],
        labels=instances.labels_3d.to(device)[seen],
        attributes=_field(instances, "attributes", NO_ATTRIBUTE, torch.int64, device)[seen],
        speeds=_field(instances, "speeds", float("nan"), torch.float32, device)[seen],
    )


def _in_camera(boxes: BaseInstance3DBoxes, cam_T_aug: Tensor, intrinsic: Tensor) -> CameraBoxes:
    """Boxes in a camera's frame; `cam_T_aug` may scale and mirror."""
    linear = cam_T_aug[:3, :3]
    scale = torch.linalg.det(linear).abs() ** (1 / 3)
    positions = boxes.gravity_center.float() @ linear.T + cam_T_aug[:3, 3]
    sine, cosine = boxes.yaw.float().sin(), boxes.yaw.float().cos()
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    rows = ((cosine, -sine, zero), (sine, cosine, zero), (zero, zero, one))
    rotations = linear / scale @ torch.stack([torch.stack(row, -1) for row in rows], -2)
    # A mirrored box is the same box with its left and right exchanged.
    sides = torch.stack([one, torch.linalg.det(rotations).sign(), one], -1)
    image = positions @ intrinsic.T
    return CameraBoxes(
        rotations=rotations * sides[:, None],
        centres=image[:, :2] / image[:, 2:].clamp(min=1e-5),
        depths=positions[:, 2],
        sizes=boxes.dims.float()[:, [1, 0, 2]] * scale,
        intrinsics=intrinsic.expand(len(positions), 3, 3),
    )


def _area(rectangles: Tensor) -> Tensor:
    return (rectangles[:, 2:] - rectangles[:, :2]).clamp(min=0).prod(-1)


def _field(instances: InstanceData, name: str, default: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A field of the ground truth, or a default for every box."""
    values = instances.get(name)
    if values is None:
        return torch.full((len(instances.labels_3d),), default, dtype=dtype, device=device)
    return torch.as_tensor(values, dtype=dtype, device=device)
