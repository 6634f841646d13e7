"""Removing lens distortion, so that a projection matrix says exactly where a point is in the image."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.registry import TRANSFORMS

from bev.transforms.clip import Clip, cameras_of

Maps = tuple[np.ndarray, np.ndarray]


class Lens(NamedTuple):
    """A pinhole camera and what its lens adds; hashable.

    Attributes:
        focal: f_u, f_v, pixels of the image file.
        centre: c_u, c_v, pixels of the image file, in which the first pixel's centre is (0.5, 0.5).
        distortion: k1, k2, p1, p2, k3 of OpenCV's model.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, ...]

    def distort(self, pixels: np.ndarray) -> np.ndarray:
        """Where the file shows what an ideal lens would show at `pixels` (N, 2) of the image file; (N, 2)."""
        rays = (np.asarray(pixels, dtype=np.float64) - self.centre) / self.focal
        points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
        shown, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), self._matrix(1.0), np.array(self.distortion))
        return shown[:, 0] + 0.5

    def maps(self, size: tuple[int, int], scale: float) -> Maps:
        """Lookup tables for `cv2.remap`.

        Args:
            size: Height and width of the image, pixels.
            scale: Its size relative to the image file.
        """
        matrix, distortion = self._matrix(scale), np.array(self.distortion)
        tables = cv2.initUndistortRectifyMap(matrix, distortion, np.eye(3), matrix, size[::-1], cv2.CV_16SC2)
        return tables[0], tables[1]

    def _matrix(self, scale: float) -> np.ndarray:
        """Intrinsic matrix in OpenCV's pixels, in which the first one's centre is (0, 0)."""
        (f_u, f_v), (c_u, c_v) = self.focal, self.centre
        return np.array([[f_u * scale, 0.0, c_u * scale - 0.5], [0.0, f_v * scale, c_v * scale - 0.5], [0.0, 0.0, 1.0]])


@TRANSFORMS.register_module()
class UndistortImages:
    """Resamples images whose camera has a `lens` to what a pinhole of the same focal length would have taken.

    Projection matrices describe pinholes and don't change. It comes right after `LoadMultiCameraImages`. Without it, an
    object at the edge of one of Waymo's images is projected up to 8 pixels of 1920 beside it, in the corners 25. What a
    lens presses into the corners is lost there; where it shows less than the pinhole would, the image is black.

    Args:
        cache_size: Most lookup tables to keep, one per camera of a recent segment: 15 MB each for 1920 x 1280 pixels.
    """

    def __init__(self, cache_size: int = 5) -> None:
        self.cache_size = cache_size
        self._maps: OrderedDict[tuple[Lens, tuple[int, int], float], Maps] = OrderedDict()

    def __call__(self, clip: Clip) -> Clip:
        """Replace the images and take the `lens` away from their cameras."""
        for camera in cameras_of(clip):
            lens = camera.pop("lens", None)
            if lens is not None and any(lens.distortion):
                maps = self._look_up(lens, camera["image"].shape[:2], camera["decode_scale"])
                camera["image"] = cv2.remap(camera["image"], *maps, cv2.INTER_LINEAR)
        return clip

    def _look_up(self, lens: Lens, size: tuple[int, int], scale: float) -> Maps:
        key = (lens, size, scale)
        maps = self._maps.pop(key, None) or lens.maps(size, scale)
        self._maps[key] = maps
        while len(self._maps) > self.cache_size:
            self._maps.popitem(last=False)
        return maps

    def __getstate__(self) -> dict:
        """Without the tables: they are large and quickly made anew."""
        return {**self.__dict__, "_maps": OrderedDict()}
