"""What the heads that only supervise images share: the features that they look at, and 3D points in the images.

Shapes: B batch, N cameras, P images (valid cameras of the current frame), M points of a sample, E points in images, C
channels, h, w size of a feature level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bev.errors import InputError
from bev.geometry.cameras import project
from bev.geometry.poses import transform_points
from bev.structures import CameraClip, ImageFeatures


@dataclass(frozen=True)
class ProjectedPoints:
    """Points that fall inside an image, by sample, camera and point.

    Attributes:
        images: (E,) int64, index among the P images.
        cameras: (E,) int64, index among the B * N cameras.
        points: (E,) int64, index among the points of the batch.
        pixels: (E, 2), u and v.
        depths: (E,), metres.
    """

    images: Tensor
    cameras: Tensor
    points: Tensor
    pixels: Tensor
    depths: Tensor


def supervised_levels(features: ImageFeatures, levels: Sequence[int], head: str) -> list[Tensor]:
    """Some feature levels, (P, C, h, w) each, of the valid cameras of the current frame.

    Raises:
        InputError: There are fewer levels than the head, which the message names, supervises.
    """
    if len(features.levels) <= max(levels):
        raise InputError(f"{head} supervises the feature levels {tuple(levels)}, but got only {len(features.levels)}")
    clip = features.clip
    mask = clip.current_mask
    return [features.levels[level][:, clip.current][mask] for level in levels]


def without_augmentation(points: Sequence[Tensor], clip: CameraClip) -> list[Tensor]:
    """B times points (M, 3) of ground truth, metres, moved from the augmented bev frame to the one of the cameras."""
    return [transform_points(part, pose) for part, pose in zip(points, clip.bev_T_aug, strict=True)]


def project_points(points: Sequence[Tensor], clip: CameraClip, min_depth: float) -> ProjectedPoints:
    """Projects points into the valid cameras of the current frame.

    Args:
        points: B times (M, 3), metres in the bev frame without augmentation.
        clip: Projections and image sizes.
        min_depth: Metres; nearer points are left out.
    """
    camera_mask = clip.current_mask
    image_index = camera_mask.flatten().cumsum(0).view_as(camera_mask) - 1
    found: list[tuple[Tensor, ...]] = []
    first = 0
    for sample, part in enumerate(points):
        projections = clip.pix_T_bev[sample, clip.current]
        pixels, depth = project(projections, part.expand(len(projections), -1, -1))
        height, width = clip.image_sizes[sample, clip.current, :, None].unbind(-1)
        u, v = pixels.unbind(-1)
        seen = (depth > min_depth) & (u >= 0) & (u < width) & (v >= 0) & (v < height) & camera_mask[sample, :, None]
        camera, index = seen.nonzero(as_tuple=True)
        cameras = sample * len(projections) + camera
        found.append((image_index[sample, camera], cameras, first + index, pixels[seen], depth[seen]))
        first += len(part)
    return ProjectedPoints(*(torch.cat(values) for values in zip(*found, strict=True)))
