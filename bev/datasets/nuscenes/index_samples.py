"""One sample's entry in the index, from the tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bev.datasets.nuscenes.can_bus import SceneMotion
from bev.datasets.nuscenes.classes import camera_order
from bev.datasets.nuscenes.index_annotations import SampleAnnotations, read_annotations
from bev.datasets.nuscenes.index_tables import ADVICE, TablesError, chain, microseconds, sound_row
from bev.datasets.nuscenes.lidar_files import FEATURES
from bev.datasets.nuscenes.projections import project_annotations
from bev.datasets.text_files import shorten
from bev.geometry import check_intrinsic, invert_pose, pose_matrix
from bev.geometry.poses import numbers

if TYPE_CHECKING:
    from nuscenes import NuScenes

LIDAR = "LIDAR_TOP"
MAX_SIDE = 2**16  # pixels


def scene_entries(nusc: NuScenes, scene: dict) -> list[dict]:
    """Entries of all samples of a scene in time order, without `sample_idx`, which is a position in the final file.

    Raises:
        CalibrationError: a calibration or pose that cannot be right; the message has table, token and camera.
        TablesError: a sample without camera or LiDAR rows, a row that holds something else than it should, or samples
            that follow each other without an end; names the row.
        CanBusError: a damaged file of the CAN bus expansion.
    """
    with sound_row("scene", scene):  # all samples first: velocities of boxes need the times of neighbours
        samples = list(chain(nusc, "sample", scene["first_sample_token"]))
        for sample in samples:
            microseconds("sample", sample)
    motion = SceneMotion(nusc.dataroot, scene["name"])
    entries = []
    for sample in samples:
        with sound_row("sample", sample):
            entries.append({**sample_entry(nusc, sample), "can_bus": motion.at(sample["timestamp"])})
    return entries


def sample_entry(nusc: NuScenes, sample: dict) -> dict:
    """Entry of one sample; its layout is described in data/README.md."""
    if LIDAR not in sample["data"]:
        raise TablesError(
            f"sample_data.json: sample {sample['token']} has no {LIDAR} row, which defines the bev frame; "
            "the LiDAR file itself may be absent, its row may not"
        )
    cameras = camera_order(channel for channel in sample["data"] if channel.startswith("CAM_"))
    if not cameras:
        raise TablesError(f"sample_data.json: sample {sample['token']} has no camera row")
    lidar = nusc.get("sample_data", sample["data"][LIDAR])
    _check_file(lidar)
    global_T_ego, ego_T_lidar = ego_pose(nusc, lidar), sensor_pose(nusc, lidar)
    global_T_lidar = global_T_ego @ ego_T_lidar
    annotations = read_annotations(nusc, sample)
    images, cam_instances = {}, {}
    for channel in cameras:
        record = nusc.get("sample_data", sample["data"][channel])
        images[channel] = image = _image_entry(nusc, record, global_T_lidar)
        global_T_cam = image["ego2global"] @ image["cam2ego"]
        size = (image["width"], image["height"])
        cam_instances[channel] = project_annotations(annotations, invert_pose(global_T_cam), image["cam2img"], size)
    return {
        "token": sample["token"],
        "scene_token": sample["scene_token"],
        "prev": sample["prev"],
        "next": sample["next"],
        "timestamp": sample["timestamp"] / 1e6,
        "ego2global": global_T_ego,
        "lidar_points": {
            "lidar_path": lidar["filename"] if (Path(nusc.dataroot) / lidar["filename"]).is_file() else None,
            "lidar2ego": ego_T_lidar,
            "num_pts_feats": FEATURES,
        },
        "images": images,
        "instances": _instances(annotations, invert_pose(global_T_lidar)),
        "cam_instances": cam_instances,
    }


def _image_entry(nusc: NuScenes, record: dict, global_T_lidar: np.ndarray) -> dict:
    calibration = nusc.get("calibrated_sensor", record["calibrated_sensor_token"])
    where = f"calibrated_sensor.json, token {calibration['token']} ({record['channel']})"
    intrinsic = numbers(calibration["camera_intrinsic"], where)
    check_intrinsic(intrinsic, where)
    _check_file(record)
    size = record["height"], record["width"]
    if not all(isinstance(side, int) and 0 < side < MAX_SIDE for side in size):
        raise TablesError(f"sample_data.json, token {record['token']}: no image is {size[1]} x {size[0]}; {ADVICE}")
    ego_T_cam, global_T_ego = sensor_pose(nusc, record), ego_pose(nusc, record)
    return {
        "img_path": record["filename"],
        "cam2img": intrinsic,
        "cam2ego": ego_T_cam,
        # The LiDAR and the camera fire at different times, each with an ego pose of its own, so the way leads over
        # global.
        "lidar2cam": invert_pose(global_T_ego @ ego_T_cam) @ global_T_lidar,
        "ego2global": global_T_ego,
        "timestamp": microseconds("sample_data", record) / 1e6,
        "sample_data_token": record["token"],
        "height": record["height"],
        "width": record["width"],
    }


def _check_file(record: dict) -> None:
    if not isinstance(record["filename"], str):
        name = shorten(record["filename"])
        raise TablesError(f"sample_data.json, token {record['token']}: filename {name} is no text; {ADVICE}")


def ego_pose(nusc: NuScenes, record: dict) -> np.ndarray:
    """global_T_ego (4, 4) at the time of a row of sample_data.

    Raises:
        CalibrationError: it is no pose; the message names the token.
    """
    pose = nusc.get("ego_pose", record["ego_pose_token"])
    where = f"ego_pose.json, token {pose['token']} ({record['channel']})"
    return pose_matrix(pose["rotation"], pose["translation"], where)


def sensor_pose(nusc: NuScenes, record: dict) -> np.ndarray:
    """ego_T_sensor (4, 4) of the sensor that a row of sample_data comes from.

    Raises:
        CalibrationError: it is no pose; the message names the token.
    """
    calibration = nusc.get("calibrated_sensor", record["calibrated_sensor_token"])
    where = f"calibrated_sensor.json, token {calibration['token']} ({record['channel']})"
    return pose_matrix(calibration["rotation"], calibration["translation"], where)


def _instances(annotations: SampleAnnotations, lidar_T_global: np.ndarray) -> list[dict]:
    lidar_T_box = lidar_T_global @ annotations.global_T_box
    yaws = np.arctan2(lidar_T_box[:, 1, 0], lidar_T_box[:, 0, 0])
    boxes = np.concatenate([lidar_T_box[:, :3, 3], annotations.sizes, yaws[:, None]], axis=1)
    velocities = (annotations.velocities @ lidar_T_global[:3, :3].T)[:, :2]
    return [
        {
            "bbox_3d": boxes[i].tolist(),
            "bbox_label_3d": int(annotations.labels[i]),
            "velocity": velocities[i].tolist(),
            "num_lidar_pts": int(annotations.lidar_points[i]),
            "num_radar_pts": int(annotations.radar_points[i]),
            "bbox_3d_isvalid": bool(annotations.valid[i]),
            "visibility": annotations.visibilities[i],
            "attribute": annotations.attributes[i],
            "instance_token": annotations.instance_tokens[i],
            "annotation_token": annotations.tokens[i],
        }
        for i in range(len(annotations))
    ]
