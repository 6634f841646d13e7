"""Takes the info files that mmdet3d >= 1.1 publishes for nuScenes (`info_version` 1.1) as indexes of single samples."""

from __future__ import annotations

import numpy as np

from bev.datasets.index_io import BOX_CONVENTION, SCHEMA_VERSION
from bev.geometry import check_intrinsic, check_pose, invert_pose

# mmdet3d's infos leave the size out; every nuScenes camera has this one.
IMAGE_HEIGHT, IMAGE_WIDTH = 900, 1600


def adopt_infos(content: dict) -> dict:
    """Brings infos of mmdet3d into our schema; the lists and dicts given are changed in place.

    Raises:
        KeyError, TypeError, ValueError: a key that a camera index needs is missing or holds something else.
    """
    metainfo = {**content["metainfo"], "schema_version": SCHEMA_VERSION, "box_convention": BOX_CONVENTION}
    metainfo.setdefault("split", None)
    samples = [_adopt_sample(sample) for sample in content["data_list"]]
    return {"metainfo": metainfo, "data_list": samples}


def _adopt_sample(sample: dict) -> dict:
    for key in ("scene_token", "prev", "next"):
        sample.setdefault(key, None)
    token = sample["token"]
    sample["ego2global"] = _pose(sample["ego2global"], f"sample {token}, ego2global")
    lidar = sample["lidar_points"]
    lidar["lidar2ego"] = _pose(lidar["lidar2ego"], f"sample {token}, lidar2ego")
    if lidar.get("lidar_path"):
        lidar["lidar_path"] = _with_folder(lidar["lidar_path"], "LIDAR_TOP")
    global_T_lidar = sample["ego2global"] @ lidar["lidar2ego"]
    for name, camera in sample["images"].items():
        _adopt_camera(name, camera, global_T_lidar, f"sample {token}, {name}")
    for instance in sample.get("instances", []):
        for key in ("visibility", "instance_token", "annotation_token"):
            instance.setdefault(key, None)
        instance.setdefault("attribute", "")
    sample.setdefault("instances", [])
    return sample


def _adopt_camera(name: str, camera: dict, global_T_lidar: np.ndarray, where: str) -> None:
    camera["img_path"] = _with_folder(camera["img_path"], name)
    camera["cam2img"] = np.asarray(camera["cam2img"], dtype=np.float64)
    check_intrinsic(camera["cam2img"], where)
    camera["lidar2cam"] = _pose(camera["lidar2cam"], f"{where}, lidar2cam")
    camera["cam2ego"] = _pose(camera["cam2ego"], f"{where}, cam2ego")
    if "ego2global" not in camera:
        # The ego pose at the camera's own time follows from the LiDAR's, because lidar2cam goes through the global
        # frame.
        camera["ego2global"] = global_T_lidar @ invert_pose(camera["cam2ego"] @ camera["lidar2cam"])
    camera.setdefault("height", IMAGE_HEIGHT)
    camera.setdefault("width", IMAGE_WIDTH)


def _pose(value: object, where: str) -> np.ndarray:
    pose = np.asarray(value, dtype=np.float64)
    check_pose(pose, where)
    return pose


def _with_folder(path: str, channel: str) -> str:
    return path if "/" in path else f"samples/{channel}/{path}"
