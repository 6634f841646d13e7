"""Cropping, resizing and flipping of camera images, with projections that follow exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from mmengine.registry import TRANSFORMS

from bev.errors import InputError
from bev.geometry import image_affine
from bev.structures.clip import Camera, Clip, replace_image

_INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "bicubic": cv2.INTER_CUBIC}


@dataclass(frozen=True)
class _Draw:
    """One sample's random choices, shared by all of its cameras and frames."""

    height: int | None
    factor: float
    anchor: tuple[float, float]
    flip: bool


@TRANSFORMS.register_module()
class ResizeCropFlipImages:
    """Crops, resizes and flips all images of a clip in the same way (BEVFormer v2: crop, height 512..768).

    The crop is resized to one of `heights` (aspect kept) or to `size` (aspect free), times a factor from `scales`.
    With both `size` and `scales`, a window of `size` is then cut from the result at a random place, or the result is
    placed at random on black, so that the shape is constant. What is annotated in the images follows.

    Args:
        crop: (left, top, right, bottom) in pixels of the image file, limited to the image; None keeps all of it.
        heights: Heights in pixels to choose from.
        size: (height, width) in pixels; excludes `heights`.
        scales: Lowest and highest additional factor.
        flip: Probability of a horizontal flip, which projections follow (BEVFormer v2 flips images for the backbone
            alone: `ClipPreprocessor(mirror)`).
        training: If False, nothing is random: the median of `heights`, factor 1, no flip.
        interpolation: 'bilinear', 'area' (use it to shrink by more than 2) or 'bicubic'.
        cameras: Names of the cameras whose images it changes; None for all.
    """

    def __init__(
        self,
        crop: tuple[int, int, int, int] | None = None,
        heights: Sequence[int] | None = None,
        size: tuple[int, int] | None = None,
        scales: tuple[float, float] = (1.0, 1.0),
        flip: float = 0.0,
        training: bool = True,
        interpolation: str = "bilinear",
        cameras: Sequence[str] | None = None,
    ) -> None:
        if heights is not None and size is not None:
            raise InputError("ResizeCropFlipImages takes `heights` (aspect kept) or `size`, not both")
        if heights is not None and (not len(heights) or min(heights) < 1):
            raise InputError(f"heights must be positive pixel counts, not {heights}")
        if not 0 < scales[0] <= scales[1]:
            raise InputError(f"scales must be 0 < low <= high, not {scales}")
        if not 0 <= flip <= 1:
            raise InputError(f"flip is a probability, not {flip}")
        if interpolation not in _INTERPOLATIONS:
            raise InputError(f"interpolation must be one of {', '.join(_INTERPOLATIONS)}, not {interpolation!r}")
        self.crop = crop
        self.heights = None if heights is None else sorted(heights)
        self.size = None if size is None else (size[0], size[1])
        self.scales = scales
        self.flip = flip
        self.training = training
        self.interpolation = _INTERPOLATIONS[interpolation]
        self.cameras = None if cameras is None else frozenset(cameras)

    def __call__(self, clip: Clip) -> Clip:
        """Replace the images and update `pix_T_bev`, `height` and `width`."""
        draw = self._draw()
        for index, frame in enumerate(clip["frames"]):
            for name, camera in frame["cameras"].items() if frame["valid"] else ():
                if self.cameras is None or name in self.cameras:
                    replace_image(clip, index, name, *self._resized(camera, draw))
        return clip

    def _draw(self) -> _Draw:
        if not self.training:
            height = None if self.heights is None else self.heights[len(self.heights) // 2]
            return _Draw(height, 1.0, (0.5, 0.5), flip=False)
        return _Draw(
            height=None if self.heights is None else random.choice(self.heights),
            factor=random.uniform(*self.scales),
            anchor=(random.random(), random.random()),
            flip=random.random() < self.flip,
        )

    def _resized(self, camera: Camera, draw: _Draw) -> tuple[np.ndarray, np.ndarray]:
        """A camera's new image, and (4, 4) that leads from its old pixels to its new ones."""
        left, top, right, bottom = self._crop_box(camera)
        image = camera["image"][top:bottom, left:right]
        old_height, old_width = image.shape[:2]
        height, width = self._target_size(old_height, old_width, draw)
        if (height, width) != (old_height, old_width):
            image = cv2.resize(image, (width, height), interpolation=self.interpolation)
        scale = (width / old_width, height / old_height)
        affine = image_affine(scale=scale, crop=(left * scale[0], top * scale[1]))

        if self.size is not None and (height, width) != self.size:
            image, offset = _cut_window(image, self.size, draw.anchor)
            affine = image_affine(crop=offset) @ affine
        if draw.flip:
            image = cv2.flip(image, 1)
            affine = image_affine(flip_width=image.shape[1]) @ affine
        return image, affine

    def _crop_box(self, camera: Camera) -> tuple[int, int, int, int]:
        """The crop in whole pixels of the decoded image."""
        height, width = camera["height"], camera["width"]
        if self.crop is None:
            return 0, 0, width, height
        left, top, right, bottom = (round(edge * camera["decode_scale"]) for edge in self.crop)
        box = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if box[0] >= box[2] or box[1] >= box[3]:
            raise InputError(f"{camera['path']}: crop {self.crop} leaves nothing of this image; adapt the crop")
        return box

    def _target_size(self, height: int, width: int, draw: _Draw) -> tuple[int, int]:
        """Height and width in pixels that a crop of the given size is resized to."""
        target: tuple[float, float] = (height, width)
        if self.size is not None:
            target = self.size
        elif draw.height is not None:
            target = (draw.height, draw.height * width / height)
        return max(1, round(target[0] * draw.factor)), max(1, round(target[1] * draw.factor))


def _cut_window(
    image: np.ndarray, size: tuple[int, int], anchor: tuple[float, float]
) -> tuple[np.ndarray, tuple[int, int]]:
    """Cut a window of `size` out of an image, with black where the image is smaller.

    Args:
        image: (h, w, 3).
        size: Height and width of the window.
        anchor: Place of the window in the free space along y and x, 0 (start) to 1 (end).

    Returns:
        The window and its (left, top) in the image, negative where black was added.
    """
    top, left = (round((have - want) * place) for have, want, place in zip(image.shape[:2], size, anchor, strict=True))
    kept = image[max(top, 0) : max(top, 0) + size[0], max(left, 0) : max(left, 0) + size[1]]
    above, before = max(-top, 0), max(-left, 0)
    below, after = size[0] - kept.shape[0] - above, size[1] - kept.shape[1] - before
    if above or before or below or after:
        kept = cv2.copyMakeBorder(kept, above, below, before, after, cv2.BORDER_CONSTANT)
    return kept, (left, top)
