"""From a collated batch to what the model takes: device, normalisation, GridMask, padding, mirrored images.

Shapes: B batch, T frames, N cameras, H, W padded height and width of the images.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from bev.errors import InputError
from bev.structures import CameraClip, stack_clips
from bev.transforms.grid_mask import GridMask


@MODELS.register_module()
class ClipPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the model's device, normalises the images, and pads; in training it blanks and mirrors some.

    Padding, absent cameras and blanked squares are 0 afterwards, which is the mean colour.

    Args:
        mean: Three values on the 0..255 scale, in the channel order that the model takes; None leaves values alone.
        std: Likewise; given if and only if `mean` is.
        to_rgb: Whether channels are turned from BGR, as loaded, to RGB.
        pad_divisor: Height and width are padded to multiples of it.
        grid_mask: Arguments of `GridMask`, applied in training, one grid for all images of a sample; None for none.
        mask_history: Whether GridMask covers all frames, instead of the current one only. BEVFormer v2 computes other
            frames in evaluation mode, without it.
        mirror: Probability in training that all images of a sample go mirrored through backbone and neck, and their
            features are mirrored back (BEVFormer v2): projections and ground truth stay as they are, unlike with
            `ResizeCropFlipImages(flip)`.
        non_blocking: Whether copies to the device may be asynchronous (pinned memory).
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        to_rgb: bool = False,
        pad_divisor: int = 32,
        grid_mask: Mapping[str, Any] | None = None,
        mask_history: bool = False,
        mirror: float = 0.0,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if (mean is None) != (std is None):
            raise InputError("ClipPreprocessor needs mean and std, or neither")
        if mean is not None and std is not None and (len(mean) != 3 or len(std) != 3 or min(std) <= 0):
            raise InputError(f"mean and std need three numbers each and std positive ones, not {mean} and {std}")
        if pad_divisor < 1:
            raise InputError(f"pad_divisor must be at least 1, not {pad_divisor}")
        self.register_buffer("mean", None if mean is None else _per_channel(mean), persistent=False)
        self.register_buffer("std", None if std is None else _per_channel(std), persistent=False)
        self.to_rgb = to_rgb
        self.pad_divisor = pad_divisor
        self.grid_mask = None if grid_mask is None else GridMask(**grid_mask)
        self.mask_history = mask_history
        if not 0 <= mirror <= 1:
            raise InputError(f"mirror is a probability, not {mirror}")
        self.mirror = mirror

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data: `inputs`, a collated `CameraClip` or a list of single samples, whose images are uint8 or float, BGR,
                0..255; and `data_samples`, which may be missing.
            training: Whether GridMask is applied and images are mirrored.

        Returns:
            `inputs`, a `CameraClip` with float32 images (B, T, N, 3, H, W), H and W multiples of `pad_divisor`, and
            `data_samples`, all on the model's device.
        """
        clip = data["inputs"]
        if not isinstance(clip, CameraClip):
            clip = stack_clips(clip)
        full = _is_full(clip)  # asked before the copy to the device, which would have to be waited for
        clip = clip.to(self.device, non_blocking=self._non_blocking)
        images = self._normalise(clip)
        if not full:
            images *= _valid_pixels(clip).unsqueeze(-3)
        if training and self.grid_mask is not None:
            images *= ~self._draw_blank(self.grid_mask, clip).unsqueeze(-3)
        clip = replace(clip, images=_pad(images, self.pad_divisor))
        if training and self.mirror:
            clip = self._mirror(clip)
        return {"inputs": clip, "data_samples": self.cast_data(data.get("data_samples"))}

    def _mirror(self, clip: CameraClip) -> CameraClip:
        """The clip with the images of some samples mirrored."""
        drawn = [random.random() < self.mirror for _ in range(clip.batch_size)]
        for images in (sample for sample, chosen in zip(clip.images, drawn, strict=True) if chosen):
            images.copy_(images.flip(-1))
        return replace(clip, mirrored=torch.tensor(drawn, device=clip.device))

    def _normalise(self, clip: CameraClip) -> Tensor:
        """Float images (B, T, N, 3, H, W) that share no memory with the clip."""
        images = clip.images.flip(-3) if self.to_rgb else clip.images
        images = images.to(torch.float32, copy=True)
        if self.mean is not None:
            images.sub_(self.mean).div_(self.std)
        return images

    def _draw_blank(self, grid_mask: GridMask, clip: CameraClip) -> Tensor:
        """Pixels that GridMask blanks: (B, T, 1, H, W) bool."""
        blank = torch.zeros(
            clip.batch_size, clip.num_frames, 1, *clip.padded_size, dtype=torch.bool, device=clip.device
        )
        frames = slice(None) if self.mask_history else slice(clip.current, clip.current + 1)
        for sample in blank:
            drawn = grid_mask.draw(*clip.padded_size)
            if drawn is not None:
                rows, columns = (torch.from_numpy(part).to(clip.device) for part in drawn)
                sample[frames] = rows[:, None] & columns
        return blank


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(3, 1, 1)


def _is_full(clip: CameraClip) -> bool:
    """Whether all images are there and none has padding."""
    padded = torch.tensor(clip.padded_size, device=clip.device)
    return bool(clip.camera_mask.all() and (clip.image_sizes == padded).all())


def _valid_pixels(clip: CameraClip) -> Tensor:
    """(B, T, N, H, W) bool, False in the padding and for absent cameras."""
    height, width = clip.padded_size
    rows = torch.arange(height, device=clip.device) < clip.image_sizes[..., 0:1]
    columns = torch.arange(width, device=clip.device) < clip.image_sizes[..., 1:2]
    return rows.unsqueeze(-1) & columns.unsqueeze(-2) & clip.camera_mask[..., None, None]


def _pad(images: Tensor, divisor: int) -> Tensor:
    """Pad height and width to multiples of `divisor` with zeros, at the bottom and right."""
    below, right = -images.shape[-2] % divisor, -images.shape[-1] % divisor
    return F.pad(images, (0, right, 0, below)) if below or right else images
