"""The end of the pipeline: from the clip dictionary to tensors.

Shapes: T frames, N cameras (slots of `camera_names`), H, W the largest image of the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import TRANSFORMS
from mmengine.structures import BaseDataElement, InstanceData

from bev.structures import CameraClip
from bev.structures.clip import Clip, cameras_of

LANE_ARRAYS = ("lanes", "traffic_boxes", "traffic_attributes", "topology_lclc", "topology_lcte")


@TRANSFORMS.register_module()
class PackClip:
    """Packs a clip into `{'inputs': CameraClip without batch axis, 'data_samples': Det3DDataSample}`.

    The data sample holds what the clip has of ground truth: `gt_instances_3d` (bboxes_3d, labels_3d, and the clip's
    gt_fields), `gt_occupancy` (semantics (X, Y, Z) uint8, mask_lidar and mask_camera (X, Y, Z) bool), `gt_lanes` (see
    `bev.models.heads.lanes.targets`; without traffic elements where the front image is missing; its metainfo `token` is
    the annotated frame) and, as metainfo:
    sample_token, scene_token, timestamp, global_T_bev, lidar_path, camera_names, `dataset` and `aug_T_bev` where the
    clip has them, and for the current frame `image_paths` and `file_pix_T_bev` ((N, 4, 4) float64, projections into the
    image files from the bev frame without augmentation), in the order of camera_names, with None and the identity for
    missing cameras.
    """

    def __call__(self, clip: Clip) -> dict[str, Any]:
        """Pack."""
        return {"inputs": _pack_cameras(clip), "data_samples": _pack_sample(clip)}


def _pack_cameras(clip: Clip) -> CameraClip:
    frames, names = clip["frames"], clip["camera_names"]
    shapes = np.array([camera["image"].shape[:2] for camera in cameras_of(clip)])
    dtype = next(cameras_of(clip))["image"].dtype
    leading = (len(frames), len(names))
    images = np.zeros((*leading, 3, *shapes.max(axis=0)), dtype=dtype)
    sizes = np.zeros((*leading, 2), dtype=np.int64)
    mask = np.zeros(leading, dtype=bool)
    projections = np.tile(np.eye(4, dtype=np.float32), (*leading, 1, 1))
    for t, frame in enumerate(frames):
        for n, name in enumerate(names):
            camera = frame["cameras"].get(name) if frame["valid"] else None
            if camera is None:
                continue
            _copy_planes(camera["image"], images[t, n])
            sizes[t, n] = camera["height"], camera["width"]
            mask[t, n] = True
            projections[t, n] = camera["pix_T_bev"]
    return CameraClip(
        images=torch.from_numpy(images),
        image_sizes=torch.from_numpy(sizes),
        pix_T_bev=torch.from_numpy(projections),
        camera_mask=torch.from_numpy(mask),
        times=torch.tensor([frame["time"] for frame in frames], dtype=torch.float32),
        current=clip["current"],
        bev_augmentation=torch.from_numpy(clip["bev_augmentation"]).float(),
        global_T_bev=_stack_frames(frames, "global_T_bev"),
        can_bus=_stack_frames(frames, "can_bus"),
    )


def _stack_frames(frames: list[dict[str, Any]], key: str) -> torch.Tensor | None:
    """(T, ...) float64 of what every frame has; None where one lacks it."""
    if any(frame.get(key) is None for frame in frames):
        return None
    return torch.from_numpy(np.stack([frame[key] for frame in frames]).astype(np.float64))


def _copy_planes(image: np.ndarray, planes: np.ndarray) -> None:
    """Copy (h, w, 3) into the top left of (3, H, W), by OpenCV's split: several times faster than a transpose."""
    height, width = image.shape[:2]
    cv2.split(image, [plane[:height, :width] for plane in planes])


def _pack_sample(clip: Clip) -> Det3DDataSample:
    current = clip["frames"][clip["current"]]["cameras"]
    cameras = [current.get(name) for name in clip["camera_names"]]
    sample = Det3DDataSample(
        metainfo={
            **{key: clip[key] for key in ("sample_token", "scene_token", "timestamp", "global_T_bev", "lidar_path")},
            **_present(clip, ("dataset", "aug_T_bev")),
            "camera_names": list(clip["camera_names"]),
            "image_paths": [camera and camera["path"] for camera in cameras],
            "file_pix_T_bev": np.stack(
                [np.eye(4) if camera is None else camera["file_pix_T_bev"] for camera in cameras]
            ),
        }
    )
    if clip.get("gt_boxes") is not None:
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=clip["gt_boxes"],
            labels_3d=torch.from_numpy(np.asarray(clip["gt_labels"], dtype=np.int64)),
            **{name: torch.from_numpy(values) for name, values in clip.get("gt_fields", {}).items()},
        )
    occupancy, lanes = clip.get("gt_occupancy"), clip.get("gt_lanes")
    if occupancy is not None:
        sample.gt_occupancy = _pack_arrays(occupancy, ("semantics", "mask_lidar", "mask_camera"))
    if lanes is not None:
        seen = lanes if lanes.camera in current else lanes.in_image(np.eye(4), (0, 0))
        sample.gt_lanes = _pack_arrays(seen, LANE_ARRAYS)
        sample.gt_lanes.set_metainfo({"token": lanes.token})
    return sample


def _present(clip: Clip, keys: Sequence[str]) -> dict[str, Any]:
    return {key: clip[key] for key in keys if key in clip}


def _pack_arrays(labels: Any, names: Sequence[str]) -> BaseDataElement:
    return BaseDataElement(**{name: torch.from_numpy(getattr(labels, name)) for name in names})
