"""What the light perspective heads share, and the targets of one: 3D points and box centres in the images.

Shapes: B batch, N cameras, P images (valid cameras of the current frame), M objects or points of a sample, E of them in
images, C channels, K classes, h, w size of a feature level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bev.errors import InputError
from bev.geometry.cameras import project
from bev.models.heads.detection_targets import DetectionTarget
from bev.models.losses import centre_patches, draw_heatmap
from bev.structures import CameraClip, ImageFeatures

CENTRE = (0, 1, 4)  # where the box code holds x, y, z


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


@dataclass(frozen=True)
class ProjectedCentres:
    """Box centres that fall inside an image.

    Attributes:
        images: (E,) int64, index among the P images.
        pixels: (E, 2), u and v.
        log_depths: (E,), see `project_centres`.
        labels: (E,) int64.
    """

    images: Tensor
    pixels: Tensor
    log_depths: Tensor
    labels: Tensor


@dataclass(frozen=True)
class ImagePlaneTargets:
    """Targets of one feature level.

    Attributes:
        heatmap: (P, K, h, w) float32.
        cells: (D,) int64, cells with a depth: index into the flattened (P, h, w).
        log_depths: (D,).
    """

    heatmap: Tensor
    cells: Tensor
    log_depths: Tensor


def focal_lengths(pix_T_bev: Tensor) -> Tensor:
    """Focal lengths along u, in pixels, of projections (..., 4, 4): (...).

    The first and last row of the 3 x 3 part are fx x + cx z and z, with orthonormal x and z; their cross product has
    the length fx, whatever the principal point, crop, flip or pose.
    """
    first, third = pix_T_bev[..., 0, :3], pix_T_bev[..., 2, :3]
    return torch.linalg.cross(first, third).norm(dim=-1) / third.norm(dim=-1)


def supervised_levels(features: ImageFeatures, levels: Sequence[int], head: str) -> list[Tensor]:
    """Some feature levels, (P, C, h, w) each, of the valid cameras of the current frame.

    Raises:
        InputError: There are fewer levels than the head, which the message names, supervises.
    """
    if len(features.levels) <= max(levels):
        raise InputError(f"{head} supervises the feature levels {tuple(levels)}, but got only {len(features.levels)}")
    clip = features.clip
    mask = clip.camera_mask[:, clip.current]
    return [features.levels[level][:, clip.current][mask] for level in levels]


def without_augmentation(points: Sequence[Tensor], clip: CameraClip) -> list[Tensor]:
    """B times points (M, 3) of ground truth, metres, moved from the augmented bev frame to the one of the cameras."""
    bev_T_aug = torch.linalg.inv(clip.bev_augmentation)
    return [part @ pose[:3, :3].T + pose[:3, 3] for part, pose in zip(points, bev_T_aug, strict=True)]


def project_points(points: Sequence[Tensor], clip: CameraClip, min_depth: float) -> ProjectedPoints:
    """Projects points into the valid cameras of the current frame.

    Args:
        points: B times (M, 3), metres in the bev frame without augmentation.
        clip: Projections and image sizes.
        min_depth: Metres; nearer points are left out.
    """
    camera_mask = clip.camera_mask[:, clip.current]
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


def project_centres(
    targets: Sequence[DetectionTarget], clip: CameraClip, reference_focal_length: float, min_depth: float
) -> ProjectedCentres:
    """Projects all box centres of a batch into the valid cameras of the current frame.

    The depth that belongs to an object's size in pixels grows with the focal length, so what is learned is
    log(depth * reference_focal_length / focal_length), which is the same for all cameras.

    Args:
        targets: B of them, in the augmented bev frame; the augmentation is undone here.
        clip: Projections and image sizes.
        reference_focal_length: Pixels.
        min_depth: Metres; nearer centres are left out.
    """
    centres = without_augmentation([target.codes[:, CENTRE] for target in targets], clip)
    seen = project_points(centres, clip, min_depth)
    scales = reference_focal_length / focal_lengths(clip.pix_T_bev[:, clip.current]).flatten()
    labels = torch.cat([target.labels for target in targets])
    return ProjectedCentres(seen.images, seen.pixels, (seen.depths * scales[seen.cameras]).log(), labels[seen.points])


def image_plane_targets(
    centres: ProjectedCentres,
    num_classes: int,
    level_shape: tuple[int, int, int],
    stride: tuple[float, float],
    radius: int,
) -> ImagePlaneTargets:
    """Draws the targets of one level. Where two centres share a cell, the depth of the nearer object counts.

    Args:
        centres: Of all images.
        num_classes: K.
        level_shape: (P, h, w).
        stride: Pixels per cell along u and v.
        radius: Of the heatmap's Gaussian, in cells.
    """
    cells = centres.pixels / centres.pixels.new_tensor(stride)
    patches = centre_patches(cells, centres.images, level_shape[1:], radius)
    own_cells = centre_patches(cells, centres.images, level_shape[1:], radius=0)
    nearest = own_cells.owned(rank=centres.log_depths[own_cells.objects])
    return ImagePlaneTargets(
        heatmap=draw_heatmap(patches, centres.labels, num_classes, level_shape),
        cells=nearest.cells,
        log_depths=centres.log_depths[nearest.objects],
    )
