"""Transforms of the ground plane: random rotation, scale and flips, and the range of the ground truth."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.registry import TRANSFORMS

from bev.errors import InputError
from bev.geometry import rotation_z, scale_transform_boxes
from bev.structures.boxes import boxes_of_gravity, gravity_array
from bev.structures.clip import Clip, cameras_of

MODES = ("features", "cameras")


def transform_bev(clip: Clip, aug_T_bev: np.ndarray, mode: str) -> None:
    """Take a clip's ground truth to another bev frame, and note in `aug_T_bev` how.

    Args:
        clip: Changed in place.
        aug_T_bev: (4, 4) rotation about z, mirroring and scale, about the origin.
        mode: 'features' asks the model to resample its BEV features (`bev_augmentation`), 'cameras' moves the cameras.
    """
    if clip.get("gt_boxes") is not None:
        clip["gt_boxes"] = _transform_scaled(clip["gt_boxes"], aug_T_bev)
    for labels in ("gt_occupancy", "gt_lanes"):
        if clip.get(labels) is not None:
            clip[labels] = clip[labels].transformed(aug_T_bev)
    clip["aug_T_bev"] = aug_T_bev @ clip.get("aug_T_bev", np.eye(4))
    if mode == "features":
        clip["bev_augmentation"] = aug_T_bev @ clip["bev_augmentation"]
        return
    bev_T_aug = np.linalg.inv(aug_T_bev)
    # What features must still undergo was said for cameras that haven't moved.
    clip["bev_augmentation"] = aug_T_bev @ clip["bev_augmentation"] @ bev_T_aug
    for camera in cameras_of(clip):
        camera["pix_T_bev"] = camera["pix_T_bev"] @ bev_T_aug
    for frame in clip["frames"]:
        if frame.get("global_T_bev") is not None:
            frame["global_T_bev"] = frame["global_T_bev"] @ bev_T_aug


@TRANSFORMS.register_module()
class RandomBEVTransform:
    """Rotates, scales and flips the bev frame, and with it the ground truth (BEVFormer v2's BEV augmentation).

    `aug_T_bev` = flip x rotation x scale about the origin; the scale applies to all three axes, so a pinhole camera
    cannot tell the difference. Boxes, yaw, velocities and lanes follow, and so do occupancy labels, exactly under flips
    and quarter turns and to the nearest voxel otherwise (see `OccupancyLabels.transformed`).

    Args:
        rotation_degrees: Largest rotation to either side.
        scale: Lowest and highest scale.
        flip_x: Probability of a flip that negates x.
        flip_y: Probability of a flip that negates y.
        mode: 'features' leaves the images' projections alone and asks the model to resample its BEV features with
            `bev_augmentation` (official); 'cameras' moves the cameras instead, which costs nothing and never looks
            beyond the BEV map, and leaves `bev_augmentation` the identity.
    """

    def __init__(
        self,
        rotation_degrees: float = 22.5,
        scale: tuple[float, float] = (0.95, 1.05),
        flip_x: float = 0.5,
        flip_y: float = 0.5,
        mode: str = "features",
    ) -> None:
        if mode not in MODES:
            raise InputError(f"mode must be 'features' or 'cameras', not {mode!r}")
        if not 0 < scale[0] <= scale[1]:
            raise InputError(f"scale must be 0 < low <= high, not {scale}")
        self.rotation_degrees = rotation_degrees
        self.scale = scale
        self.flip_x = flip_x
        self.flip_y = flip_y
        self.mode = mode

    def __call__(self, clip: Clip) -> Clip:
        """Update the ground truth and, by mode, `bev_augmentation` or every `pix_T_bev`."""
        transform_bev(clip, self._draw(), self.mode)
        return clip

    def _draw(self) -> np.ndarray:
        """A random (4, 4) `aug_T_bev`."""
        angle = np.radians(random.uniform(-self.rotation_degrees, self.rotation_degrees))
        scale = float(random.uniform(*self.scale))
        sign_x = -1.0 if random.random() < self.flip_x else 1.0
        sign_y = -1.0 if random.random() < self.flip_y else 1.0
        return np.diag([sign_x * scale, sign_y * scale, scale, 1.0]) @ rotation_z(angle)


def _transform_scaled(boxes: LiDARInstance3DBoxes, aug_T_bev: np.ndarray) -> LiDARInstance3DBoxes:
    """Move boxes by a transform that may scale."""
    return boxes_of_gravity(scale_transform_boxes(gravity_array(boxes), aug_T_bev))


@TRANSFORMS.register_module()
class BoxRangeFilter:
    """Drops ground truth whose centre lies outside a box or a circle on the ground; put it after BEV transforms.

    Images show objects beyond the BEV, too. With `drop=False` they stay, and `gt_fields` has `in_range`, by which BEV
    heads choose what they learn; perspective heads learn all.

    Args:
        bounds: (x_min, y_min, x_max, y_max), or six numbers as in `BEVGrid.bounds`, whose z is not looked at; metres.
        radius: Largest distance of the centre from the origin, metres. Exactly one of the two is given.
        drop: Whether what lies outside is dropped, or only marked.
    """

    def __init__(self, bounds: Sequence[float] | None = None, radius: float | None = None, drop: bool = True) -> None:
        if (bounds is None) == (radius is None):
            raise InputError("BoxRangeFilter needs either bounds or radius")
        if bounds is not None and len(bounds) not in (4, 6):
            raise InputError(f"bounds must be 4 or 6 numbers, not {bounds}")
        self.bounds = None if bounds is None else (*bounds[:2], *bounds[len(bounds) // 2 :][:2])
        self.radius = radius
        self.drop = drop

    def __call__(self, clip: Clip) -> Clip:
        """Reduce `gt_boxes`, `gt_labels` and `gt_fields`, or add the field `in_range`."""
        if clip.get("gt_boxes") is None:
            return clip
        xy = clip["gt_boxes"].tensor[:, :2]
        if self.bounds is None:
            inside = xy.norm(dim=1) <= self.radius
        else:
            low, high = xy.new_tensor(self.bounds).split(2)
            inside = ((xy >= low) & (xy <= high)).all(dim=1)
        if not self.drop:
            clip["gt_fields"] = {**clip.get("gt_fields", {}), "in_range": inside.numpy()}
            return clip
        clip["gt_boxes"] = clip["gt_boxes"][inside]
        clip["gt_labels"] = clip["gt_labels"][inside.numpy()]
        clip["gt_fields"] = {name: values[inside.numpy()] for name, values in clip.get("gt_fields", {}).items()}
        return clip
