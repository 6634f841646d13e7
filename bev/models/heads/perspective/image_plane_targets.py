"""Targets of the image-plane head: box centres in the images.

Shapes: B batch, P images (valid cameras of the current frame), E centres in images, D cells with a depth, K classes, h,
w size of a feature level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bev.geometry.boxes import CODE_CENTRE
from bev.models.assigners import SetTarget
from bev.models.heads.perspective.image_points import project_points, without_augmentation
from bev.models.losses import centre_patches, draw_heatmap
from bev.structures import CameraClip


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


def project_centres(
    targets: Sequence[SetTarget], clip: CameraClip, reference_focal_length: float, min_depth: float
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
    centres = without_augmentation([target.codes[:, CODE_CENTRE] for target in targets], clip)
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
