"""3D boxes as one camera sees them: projected centre, depth, size and rotation (DD3D, arXiv 2108.06417, section 3.2).

Shapes: M boxes. A box's own axes are x forward (length), y left (width), z up (height); cameras look along z, x right,
y down. Sizes are width, length, height, metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_SIGNS = torch.tensor([(x, y, z) for x in (1.0, -1.0) for y in (1.0, -1.0) for z in (1.0, -1.0)])
_EPSILON = 1e-7


@dataclass(frozen=True)
class CameraBoxes:
    """M boxes, each in the frame of its camera.

    Attributes:
        rotations: (M, 3, 3), from the box's axes to the camera's.
        centres: (M, 2) projected centres, pixels.
        depths: (M,) of the centres, metres.
        sizes: (M, 3) width, length, height, metres.
        intrinsics: (M, 3, 3) of the box's camera, pixels.
    """

    rotations: Tensor
    centres: Tensor
    depths: Tensor
    sizes: Tensor
    intrinsics: Tensor

    def __len__(self) -> int:
        return len(self.depths)

    def __getitem__(self, index: Tensor) -> CameraBoxes:
        return CameraBoxes(*(value[index] for value in vars(self).values()))

    def positions(self) -> Tensor:
        """(M, 3) centres in the camera frame, metres."""
        return rays(self.centres, self.intrinsics) * self.depths[:, None]

    def corners(self) -> Tensor:
        """(M, 8, 3) corners in the camera frame, metres."""
        extents = self.sizes[:, [1, 0, 2]] / 2
        offsets = extents[:, None] * _SIGNS.to(extents)
        return offsets @ self.rotations.transpose(1, 2) + self.positions()[:, None]


def rays(pixels: Tensor, intrinsics: Tensor) -> Tensor:
    """Points at depth 1 (M, 3) that are seen at pixels (M, 2)."""
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=-1)
    return torch.linalg.solve(intrinsics, homogeneous)


def quaternion_matrices(quaternions: Tensor) -> Tensor:
    """Rotations (M, 3, 3) of quaternions (M, 4), real part first, of any length."""
    w, x, y, z = (quaternions / quaternions.norm(dim=-1, keepdim=True).clamp(min=_EPSILON)).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def ray_rotations(directions: Tensor) -> Tensor:
    """Rotations (M, 3, 3) from axes whose z points along a ray (M, 3), and whose y stays as near to down as it can.

    A box that looks the same in the image has the same rotation in these axes wherever it is: the allocentric one.
    """
    z = directions / directions.norm(dim=-1, keepdim=True)
    y = z.new_tensor([0.0, 1.0, 0.0]) - z[:, 1:2] * z
    y = y / y.norm(dim=-1, keepdim=True)
    return torch.stack([torch.linalg.cross(y, z), y, z], dim=-1)


@dataclass(frozen=True)
class BoxDecoder:
    """From what the network regresses to boxes.

    Attributes:
        canonical_sizes: Width, length and height of each class, metres; predicted sizes lie between 0 and twice that.
        reference_focal_length: Depth is predicted for this focal length, pixels (times the root of 2, as published).
        min_depth: Metres.
        max_depth: Metres.
        allocentric: Whether the predicted rotation is relative to the ray through the box's centre.
    """

    canonical_sizes: Sequence[Sequence[float]]
    reference_focal_length: float = 500.0
    min_depth: float = 0.1
    max_depth: float = 80.0
    allocentric: bool = True

    def __call__(
        self,
        quaternions: Tensor,
        centre_offsets: Tensor,
        depths: Tensor,
        sizes: Tensor,
        locations: Tensor,
        intrinsics: Tensor,
        labels: Tensor,
    ) -> CameraBoxes:
        """Boxes of M places.

        Args:
            quaternions: (M, 4), real part first.
            centre_offsets: (M, 2) from the place to the projected centre, pixels.
            depths: (M,) for the reference focal length.
            sizes: (M, 3).
            locations: (M, 2) the places, pixels.
            intrinsics: (M, 3, 3).
            labels: (M,) int64.
        """
        pixel_size = (1 / torch.diagonal(intrinsics, dim1=-2, dim2=-1)[:, :2]).norm(dim=-1)
        metres = (depths / (pixel_size * self.reference_focal_length)).clamp(self.min_depth, self.max_depth)
        centres = centre_offsets + locations
        rotations = quaternion_matrices(quaternions)
        if self.allocentric:
            rotations = ray_rotations(rays(centres, intrinsics)) @ rotations
        canonical = sizes.new_tensor(self.canonical_sizes)[labels]
        return CameraBoxes(rotations, centres, metres, (sizes.tanh() + 1) * canonical, intrinsics)
