"""A clip of two small cameras that look ahead and back along y, and random features of its images."""

from __future__ import annotations

import torch

from bev.structures import CameraClip, ImageFeatures

# Camera 0 looks along +y, camera 1 along -y; x of camera 0 is x of the bev frame.
FORWARD = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
BACKWARD = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
SIZE = (32, 64)


def projection(rotation: torch.Tensor, focal: float, centre: tuple[float, float] = (32.0, 16.0)) -> torch.Tensor:
    """(4, 4) from the bev frame to pixels of a camera at its origin with this rotation, focal length and centre."""
    matrix = torch.eye(4)
    intrinsic = torch.tensor([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]])
    matrix[:3, :3] = intrinsic @ rotation
    return matrix


def two_camera_clip(batch_size: int = 1, focal: float = 40.0) -> CameraClip:
    """Two frames of which the second is current."""
    matrices = torch.stack([projection(FORWARD, focal), projection(BACKWARD, 2 * focal)])
    return CameraClip(
        images=torch.zeros(batch_size, 2, 2, 3, *SIZE),
        image_sizes=torch.tensor(SIZE).expand(batch_size, 2, 2, 2).clone(),
        pix_T_bev=matrices.expand(batch_size, 2, 2, 4, 4).clone(),
        camera_mask=torch.ones(batch_size, 2, 2, dtype=torch.bool),
        times=torch.tensor([-0.5, 0.0]).expand(batch_size, 2),
        current=1,
        bev_augmentation=torch.eye(4).repeat(batch_size, 1, 1),
    )


def make_features(clip: CameraClip, channels: int = 8) -> ImageFeatures:
    """Random features of strides 4 and 8."""
    levels = tuple(torch.randn(*clip.images.shape[:3], channels, 32 // s, 64 // s) for s in (4, 8))
    return ImageFeatures(levels, clip)
