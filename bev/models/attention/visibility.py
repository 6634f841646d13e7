"""Which BEV pillars each camera sees, and where in its image.

Shapes: B batch, N cameras, Q = H * W pillars, Z reference points per pillar, R cameras of the whole batch that have
an image.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from bev.geometry.cameras import MIN_DEPTH, project


@dataclass(frozen=True)
class VisiblePillars:
    """Which pillars each camera with an image sees, and where.

    Visibility belongs to a sample and a camera: no sample influences another.

    Attributes:
        cameras: (R,) index sample * N + camera of every camera with an image, in rising order.
        splits: (B + 1,) sample b owns the cameras from splits[b] to splits[b + 1] of these.
        reference_points: (R, Q, Z, 2) x and y of the pillars' points, in fractions of the padded image.
        visible: (R, Q) whether the camera sees the pillar: at least one of its points.
    """

    cameras: Tensor
    splits: Tensor
    reference_points: Tensor
    visible: Tensor


def project_pillars(
    points: Tensor, pix_T_bev: Tensor, image_sizes: Tensor, padded_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Project pillar points into all cameras (BEVFormer, section 3.3, equation 4).

    A point is visible if it lies in front of the camera and strictly inside the image. What counts is the image
    without its padding, while the returned coordinates refer to the padded image, which is what the feature maps
    cover.

    Args:
        points: (Z, Q, 3) in the bev frame, metres.
        pix_T_bev: (B, N, 4, 4), bev frame to pixels and depth.
        image_sizes: (B, N, 2) height and width without padding, pixels.
        padded_size: Height and width with padding, pixels.

    Returns:
        Coordinates (B, N, Q, Z, 2) float32, x and y in fractions of the padded image; visibility (B, N, Q, Z) bool.
    """
    # Double precision, since a GPU may multiply single precision matrices with 10 bits of mantissa: pixels of error.
    pixels, depth = project(pix_T_bev[:, :, None].double(), points.double())
    limits = image_sizes[:, :, None, None].flip(-1)
    visible = (depth > MIN_DEPTH) & ((pixels > 0) & (pixels < limits)).all(-1)
    fractions = pixels / pixels.new_tensor([padded_size[1], padded_size[0]])
    return fractions.float().transpose(2, 3), visible.transpose(2, 3)


def visible_pillars(coordinates: Tensor, visible: Tensor, camera_mask: Tensor) -> VisiblePillars:
    """Leave out the cameras without an image.

    Args:
        coordinates: (B, N, Q, Z, 2) from `project_pillars`.
        visible: (B, N, Q, Z) from `project_pillars`.
        camera_mask: (B, N) False for absent cameras, which see nothing.
    """
    cameras = camera_mask.flatten().nonzero().squeeze(1)
    return VisiblePillars(
        cameras=cameras,
        splits=nn.functional.pad(camera_mask.sum(1).cumsum(0), (1, 0)),
        reference_points=coordinates.flatten(0, 1)[cameras],
        visible=visible.any(-1).flatten(0, 1)[cameras],
    )
