"""Normalisation and padding of images inside the pipeline.

`ClipPreprocessor` does both on the model's device, which is faster; these are for pipelines that want them earlier.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.registry import TRANSFORMS

from bev.errors import InputError
from bev.structures.clip import Clip, cameras_of


@TRANSFORMS.register_module()
class NormalizeImages:
    """Makes images float32: (image - mean) / std. Leave mean and std out of `ClipPreprocessor` then.

    Args:
        mean: Three values on the 0..255 scale, in the channel order that comes out.
        std: Likewise.
        to_rgb: Whether channels are turned from BGR to RGB first.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], to_rgb: bool = False) -> None:
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise InputError(f"mean and std need three numbers each and std positive ones, not {mean} and {std}")
        self.mean = np.asarray(mean, dtype=np.float32)
        self.inverse_std = (1 / np.asarray(std, dtype=np.float64)).astype(np.float32)
        self.to_rgb = to_rgb

    def __call__(self, clip: Clip) -> Clip:
        """Replace the images."""
        for camera in cameras_of(clip):
            image = cv2.cvtColor(camera["image"], cv2.COLOR_BGR2RGB) if self.to_rgb else camera["image"]
            camera["image"] = (image - self.mean) * self.inverse_std
        return clip


@TRANSFORMS.register_module()
class PadImages:
    """Pads images with zeros at the right and bottom; `height` and `width` go on to tell the valid part.

    Args:
        divisor: Height and width become multiples of it.
        size: (height, width) that every image is padded to instead. Exactly one of the two is given.
    """

    def __init__(self, divisor: int | None = None, size: tuple[int, int] | None = None) -> None:
        if (divisor is None) == (size is None):
            raise InputError("PadImages needs either divisor or size")
        self.divisor = divisor
        self.size = size

    def __call__(self, clip: Clip) -> Clip:
        """Replace the images.

        Raises:
            InputError: If an image is larger than `size`.
        """
        for camera in cameras_of(clip):
            height, width = camera["image"].shape[:2]
            if self.size is not None:
                below, right = self.size[0] - height, self.size[1] - width
            else:
                below, right = -height % self.divisor, -width % self.divisor
            if min(below, right) < 0:
                raise InputError(
                    f"{camera['path']}: image of {height}x{width} is larger than the padded size {self.size}"
                )
            camera["image"] = cv2.copyMakeBorder(camera["image"], 0, below, 0, right, cv2.BORDER_CONSTANT)
        return clip
