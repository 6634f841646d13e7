"""Which BEV pillars each camera sees, and where in its image.

Shapes: B batch, N cameras, Q = H * W pillars, Z reference points per pillar, R cameras of the whole batch that have
an image, K most pillars that any of them sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bev.geometry.cameras import MIN_DEPTH, project


@dataclass(frozen=True)
class VisiblePillars:
    """The pillars that each camera sees, padded to one count so that all cameras are attended to in one call.

    Visibility belongs to a sample and a camera: no sample influences another.

    Attributes:
        cameras: (R,) index sample * N + camera of every camera with an image.
        pillars: (R, K) index sample * Q + pillar of what each camera sees, in rising order; the filling behind it
            names the sample's first pillar and is never read.
        filled: (M,) positions in the flattened (R, K) that are not filling.
        reference_points: (R, K, Z, 2) x and y of the pillars' points, in fractions of the padded image.
        num_cameras: (B, Q, 1) how many cameras see each pillar, at least 1 so that it can divide.
    """

    cameras: Tensor
    pillars: Tensor
    filled: Tensor
    reference_points: Tensor
    num_cameras: Tensor


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


def gather_visible(coordinates: Tensor, visible: Tensor, camera_mask: Tensor) -> VisiblePillars:
    """List what each camera sees.

    A pillar is seen by a camera if at least one of its points is visible in it.

    Args:
        coordinates: (B, N, Q, Z, 2) from `project_pillars`.
        visible: (B, N, Q, Z) from `project_pillars`.
        camera_mask: (B, N) False for absent cameras, which see nothing.
    """
    num_cameras, num_pillars = visible.shape[1:3]
    seen = visible.any(-1) & camera_mask[..., None]
    cameras = camera_mask.flatten().nonzero().squeeze(1)
    seen_by_camera = seen.flatten(0, 1)[cameras]
    rows, columns = seen_by_camera.nonzero(as_tuple=True)
    counts = seen_by_camera.sum(1)
    # At least one column, so that every camera takes part in the computation graph of every step.
    most = max(1, int(counts.max())) if len(cameras) else 1
    rank = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    pillars = columns.new_zeros(len(cameras), most).index_put((rows, rank), columns)
    camera_coordinates = coordinates.flatten(0, 1)[cameras[:, None], pillars]
    return VisiblePillars(
        cameras=cameras,
        pillars=pillars + (cameras // num_cameras * num_pillars)[:, None],
        filled=rows * most + rank,
        reference_points=camera_coordinates,
        num_cameras=seen.sum(1).clamp(min=1)[..., None],
    )
