"""From a rig's images at one moment to the clip of one frame that a model takes.

Shapes: N camera slots, H, W height and width that all images are padded to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import TRANSFORMS
from torch import Tensor

from bev.datasets.nuscenes.classes import CAMERAS, camera_order
from bev.errors import InputError
from bev.geometry import check_intrinsic, check_pose, pix_T_cam
from bev.structures import CameraClip
from bev.structures.clip import Clip
from bev.transforms import PackClip

Image = np.ndarray | Tensor
LOADING = ("LoadMultiCameraImages", "LoadOccupancy")


class FrameBuilder:
    """Runs images of a rig through a config's test pipeline.

    Args:
        pipeline: The config's test pipeline; what it loads, images and labels, is left out.
        colour: Channel order of the images, "rgb" or "bgr".

    Raises:
        InputError: If `colour` is unknown.
    """

    def __init__(self, pipeline: Sequence[Mapping[str, Any]], colour: str = "rgb") -> None:
        if colour not in ("rgb", "bgr"):
            raise InputError(f"colour is 'rgb' or 'bgr', not {colour!r}")
        steps = [step for step in pipeline if step["type"] not in (*LOADING, "PackClip")]
        self.transforms = [TRANSFORMS.build(dict(step)) for step in steps]
        self.pack = PackClip()
        self.colour = colour

    def __call__(
        self,
        images: Mapping[str, Image | None],
        intrinsics: Mapping[str, np.ndarray],
        cam_T_bev: Mapping[str, np.ndarray],
        global_T_bev: np.ndarray,
        can_bus: np.ndarray,
        slots: Sequence[str],
    ) -> tuple[CameraClip, Det3DDataSample] | None:
        """The clip of one frame, B = T = 1, with its metainfo, or None where no camera delivered an image.

        The clip's projections are float64, so that they lose nothing on the way into later frames.

        Args:
            images: Camera name to image; None or no entry for a camera that delivered nothing.
            intrinsics: Camera name to (3, 3), pixels of the image as given.
            cam_T_bev: Camera name to (4, 4), from the bev frame to the camera (x right, y down, z forward).
            global_T_bev: (4, 4).
            can_bus: (18,) absolute, see `bev.geometry.can_bus`.
            slots: Names of the camera axis.

        Raises:
            InputError: If an image or a name makes no sense.
            CalibrationError: If a matrix makes no sense.
        """
        present = {name: as_bgr(image, self.colour, name) for name, image in images.items() if image is not None}
        if not present:
            return None
        unknown = sorted(set(present) - set(slots))
        if unknown:
            raise InputError(
                f"camera {', '.join(unknown)} is not one of {', '.join(slots)}: name all in StreamingPerceptor("
                "cameras=[...]), or give their intrinsics from the first step of a drive on"
            )
        cameras = {name: _camera(name, image, intrinsics, cam_T_bev) for name, image in present.items()}
        clip = self._clip(cameras, global_T_bev, can_bus, slots)
        for transform in self.transforms:
            clip = transform(clip)
        packed = self.pack(clip)
        moved = clip["frames"][0]["cameras"]
        projections = [moved[name]["pix_T_bev"] if name in moved else np.eye(4) for name in slots]
        exact = torch.from_numpy(np.stack(projections))[None]
        return replace(packed["inputs"], pix_T_bev=exact).add_batch_axis(), packed["data_samples"]

    def _clip(
        self, cameras: dict[str, dict], global_T_bev: np.ndarray, can_bus: np.ndarray, slots: Sequence[str]
    ) -> Clip:
        frame = {
            "time": 0.0,
            "valid": True,
            "token": None,
            "cameras": cameras,
            "global_T_bev": global_T_bev,
            "can_bus": can_bus,
        }
        return {
            "sample_token": "",
            "scene_token": "",
            "timestamp": 0.0,
            "global_T_bev": global_T_bev,
            "camera_names": list(slots),
            "current": 0,
            "lidar_path": None,
            "on_error": "raise",
            "bev_augmentation": np.eye(4),
            "frames": [frame],
        }


def camera_slots(*tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the camera axis for a rig whose cameras are those that any of the tables knows.

    One nuScenes name brings all six of nuScenes, first and in their usual order, so that each has the embedding that it
    was trained with even where others are absent. Other cameras follow by name.
    """
    names = set().union(*tables)
    return tuple(camera_order(names.union(CAMERAS) if names & set(CAMERAS) else names))


def as_bgr(image: Image, colour: str, name: str) -> np.ndarray:
    """An image as (H, W, 3) uint8 BGR, as OpenCV loads it.

    Args:
        image: (H, W, 3) array, or (3, H, W) or (H, W, 3) tensor, values 0..255.
        colour: Its channel order, "rgb" or "bgr".
        name: What the message calls it.

    Raises:
        InputError: If it has another shape, or values that are no pixels.
    """
    array = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise InputError(f"image of camera {name} has shape {array.shape}; height x width x 3 is needed")
    if array.dtype != np.uint8:
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
            raise InputError(f"image of camera {name} has values outside 0..255 ({array.dtype}); pass 8-bit pixels")
        array = np.rint(array).astype(np.uint8)
    return np.ascontiguousarray(array[..., ::-1] if colour == "rgb" else array)


def _camera(name: str, image: np.ndarray, intrinsics: Mapping, cam_T_bev: Mapping) -> dict[str, Any]:
    for what, table in (("intrinsics", intrinsics), ("cam_T_ego", cam_T_bev)):
        if name not in table:
            raise InputError(f"camera {name} has an image but no entry in {what}")
    check_intrinsic(intrinsics[name], f"camera {name}")
    check_pose(cam_T_bev[name], f"camera {name}, cam_T_ego")
    projection = pix_T_cam(np.asarray(intrinsics[name], dtype=np.float64)) @ cam_T_bev[name]
    return {
        "path": f"camera {name}",
        "token": None,
        "image": image,
        "decode_scale": 1.0,
        "height": image.shape[0],
        "width": image.shape[1],
        "pix_T_bev": projection,
        "file_pix_T_bev": projection.copy(),
    }
