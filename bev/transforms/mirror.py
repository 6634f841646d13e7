"""The world in a mirror: what a drive would look like with left and right exchanged."""

from __future__ import annotations

import random
import re
from typing import Any

import cv2
import numpy as np
from mmengine.registry import TRANSFORMS

from bev.errors import InputError
from bev.geometry import image_affine
from bev.structures.clip import Clip, replace_image
from bev.transforms.bev import transform_bev

SIDES = {"left": "right", "right": "left", "LEFT": "RIGHT", "RIGHT": "LEFT"}


@TRANSFORMS.register_module()
class MirrorScene:
    """Mirrors images, cameras and ground truth together (BEVFormer++, arXiv 2209.05324, "flip").

    Every image is flipped, the bev frame is mirrored with its projections and poses, and cameras whose names differ in
    left and right change places. A mirrored clip is as consistent as the clip it comes from: a model that treats left
    and right alike finds the same objects in it, mirrored. That tells this transform from `ResizeCropFlipImages(flip)`
    and `RandomBEVTransform`, which flip one without the other.

    CAN bus values have no mirror image here and are taken out, whether or not a clip is mirrored.

    Args:
        probability: Of mirroring a clip.
        axis: Of the bev frame that points to the side: "y" in a vehicle's frame and Waymo's, "x" in nuScenes' LiDAR
            frame.

    Raises:
        InputError: If an argument makes no sense.
    """

    def __init__(self, probability: float = 0.5, axis: str = "y") -> None:
        if axis not in ("x", "y"):
            raise InputError(f"axis is 'x' or 'y', not {axis!r}")
        if not 0 <= probability <= 1:
            raise InputError(f"probability must lie in [0, 1], not {probability}")
        self.probability = probability
        self.aug_T_bev = np.diag([-1.0 if axis == name else 1.0 for name in "xyz"] + [1.0])

    def __call__(self, clip: Clip) -> Clip:
        """Mirror the clip, or not. Images must have been loaded."""
        for frame in clip["frames"]:
            frame["can_bus"] = None
        if random.random() >= self.probability:
            return clip
        for index, frame in enumerate(clip["frames"]):
            for name, camera in frame["cameras"].items() if frame["valid"] else ():
                height, width = camera["height"], camera["width"]
                flipped = camera["image"].copy()  # padding stays where it is
                flipped[:height, :width] = cv2.flip(flipped[:height, :width], 1)
                replace_image(clip, index, name, flipped, image_affine(flip_width=width), (height, width))
        transform_bev(clip, self.aug_T_bev, mode="cameras")
        places = set(clip["camera_names"])
        for frame in clip["frames"]:
            frame["cameras"] = {_other_side(name, places): camera for name, camera in frame["cameras"].items()}
        return clip


def _other_side(name: str, places: set[Any]) -> str:
    """Name of the camera that looks where this one does in the mirror; its own if there is no such camera."""
    other = re.sub("|".join(SIDES), lambda found: SIDES[found.group()], name)
    return other if other in places else name
