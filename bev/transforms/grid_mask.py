"""GridMask: regularly spaced squares of an image are blanked (arXiv 2001.04086)."""

from __future__ import annotations

import random

import numpy as np
from mmengine.registry import TRANSFORMS

from bev.errors import InputError
from bev.structures.clip import Clip, cameras_of


@TRANSFORMS.register_module()
class GridMask:
    """Blanks squares of a regular grid, the same in all images of a clip (BEVFormer: ratio 0.5, probability 0.7).

    The grid's period is drawn from 2 pixels to the image's height, its phase along both axes uniformly. As a transform
    it sets the squares to 0, the mean colour once images are normalised; `ClipPreprocessor` applies it there, on the
    model's device.

    Args:
        ratio: Side of a square as a fraction of the period (the paper's 1 - r).
        probability: Probability that a clip is masked at all.
    """

    def __init__(self, ratio: float = 0.5, probability: float = 0.7) -> None:
        if not 0 < ratio < 1 or not 0 <= probability <= 1:
            raise InputError(f"GridMask needs 0 < ratio < 1 and a probability, not {ratio} and {probability}")
        self.ratio = ratio
        self.probability = probability

    def __call__(self, clip: Clip) -> Clip:
        """Blank squares of every image."""
        cameras = list(cameras_of(clip))
        drawn = self.draw(*np.max([camera["image"].shape[:2] for camera in cameras], axis=0).tolist())
        if drawn is None:
            return clip
        rows, columns = drawn
        blank = rows[:, None] & columns
        for camera in cameras:
            image = camera["image"].copy()
            image[blank[: image.shape[0], : image.shape[1]]] = 0
            camera["image"] = image
        return clip

    def draw(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Draw a grid for one clip.

        Returns:
            None where the clip stays as it is, else rows (height,) and columns (width,), bool: a pixel is blanked where
            both are True.
        """
        if random.random() >= self.probability:
            return None
        period = random.randrange(2, max(height, 3))
        side = min(max(round(period * self.ratio), 1), period - 1)
        rows = (np.arange(height) + random.randrange(period)) % period < side
        columns = (np.arange(width) + random.randrange(period)) % period < side
        return rows, columns
