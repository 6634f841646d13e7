"""Removing lens distortion, so that a projection matrix says exactly where a point is in the image."""

from __future__ import annotations

from collections import OrderedDict

import cv2
from mmengine.registry import TRANSFORMS

from bev.geometry.lenses import Lens, RemapTables
from bev.structures.clip import Clip, cameras_of


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
        self._maps: OrderedDict[tuple[Lens, tuple[int, int], float], RemapTables] = OrderedDict()

    def __call__(self, clip: Clip) -> Clip:
        """Replace the images and take the `lens` away from their cameras."""
        for camera in cameras_of(clip):
            lens = camera.pop("lens", None)
            if lens is not None and any(lens.distortion):
                maps = self._look_up(lens, camera["image"].shape[:2], camera["decode_scale"])
                camera["image"] = cv2.remap(camera["image"], *maps, cv2.INTER_LINEAR)
        return clip

    def _look_up(self, lens: Lens, size: tuple[int, int], scale: float) -> RemapTables:
        key = (lens, size, scale)
        maps = self._maps.pop(key, None) or lens.maps(size, scale)
        self._maps[key] = maps
        while len(self._maps) > self.cache_size:
            self._maps.popitem(last=False)
        return maps

    def __getstate__(self) -> dict:
        """Without the tables: they are large and quickly made anew."""
        return {**self.__dict__, "_maps": OrderedDict()}
