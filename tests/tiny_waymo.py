"""A Waymo release of a few made frames: five small cameras that see noise, a car, a walker, a cyclist and a sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bev.datasets.waymo.messages import message_class
from bev.datasets.waymo.tfrecord import write_records

START = 1_550_000_000_000_000
SPACING = 100_000  # microseconds between frames
SPEED = 5.0  # m/s of ego, along global x
SCALE = 1 / 10
YAWS = (0.0, 45.0, -45.0, 90.0, -90.0)  # degrees, of cameras 1 to 5
DISTORTION = (0.04, -0.33, 0.001, -0.001, 0.0)
CAMERA_DELAY = (0.05, 0.04, 0.06, 0.02, 0.07)  # seconds after the frame's time

# type, most visible camera, points of all LiDARs, of the top one, level, position, size, heading, global velocity
OBJECTS: Sequence[tuple[Any, ...]] = (
    (1, "FRONT", 60, 50, 0, (20.0, 1.0, 0.9), (4.6, 1.9, 1.6), 0.1, (8.0, 0.0)),
    (2, "SIDE_LEFT", 5, 4, 0, (3.0, 9.0, 0.9), (0.8, 0.7, 1.8), 1.5, (0.0, 1.0)),
    (4, "FRONT_RIGHT", 30, 20, 2, (11.0, -10.0, 0.8), (1.8, 0.7, 1.7), -0.7, (2.0, -2.0)),
    (3, "FRONT", 9, 9, 0, (15.0, -4.0, 2.0), (0.2, 0.7, 0.7), 3.1, (0.0, 0.0)),
    (1, "", 40, 40, 0, (-18.0, 2.0, 0.9), (4.4, 1.8, 1.5), 0.0, (5.0, 0.0)),  # behind, where there is no camera
)


def make_frame(segment: str, number: int, objects: Sequence[tuple[Any, ...]] = OBJECTS) -> Any:
    """Frame `number` of a segment, as a `Frame` message."""
    frame = message_class("Frame")(timestamp_micros=START + number * SPACING)
    frame.context.name = segment
    frame.context.stats.location, frame.context.stats.weather = "location_made", "sunny"
    frame.pose.transform.extend(ego_pose(number * SPACING / 1e6).ravel().tolist())
    generator = np.random.default_rng(number)
    for camera, (yaw, delay) in enumerate(zip(YAWS, CAMERA_DELAY, strict=True), start=1):
        height, width = camera_size(camera)
        calibration = frame.context.camera_calibrations.add(name=camera, width=width, height=height)
        calibration.intrinsic.extend([205.0, 205.0, width / 2 - 1, 64.0 if camera < 4 else 25.0, *DISTORTION])
        calibration.extrinsic.transform.extend(vehicle_T_camera(yaw).ravel().tolist())
        calibration.rolling_shutter_direction = 2
        noise = cv2.resize(generator.integers(0, 255, (8, 12, 3), np.uint8), (width, height))
        time = number * SPACING / 1e6 + delay
        image = frame.images.add(
            name=camera, image=cv2.imencode(".jpg", noise)[1].tobytes(), pose_timestamp=START / 1e6 + time
        )
        image.pose.transform.extend(ego_pose(time).ravel().tolist())
    for index, given in enumerate(objects):
        _add_label(frame, index, *given)
    zone = frame.no_label_zones.add()
    zone.x.extend([0.0, 5.0, 5.0])
    zone.y.extend([40.0, 40.0, 45.0])
    return frame


def camera_size(camera: int) -> tuple[int, int]:
    """Height and width in pixels."""
    return (round(1280 * SCALE) if camera < 4 else round(886 * SCALE)), round(1920 * SCALE)


def ego_pose(time: float) -> np.ndarray:
    """global_T_vehicle: straight on, turned by 90 degrees in the global frame, which tells the two apart."""
    pose = np.array([[0.0, -1, 0, -25000], [1, 0, 0, 42000], [0, 0, 1, -160], [0, 0, 0, 1]])
    pose[1, 3] += SPEED * time
    return pose


def vehicle_T_camera(yaw: float) -> np.ndarray:
    """Pose of a camera that looks along x turned by `yaw` degrees."""
    cosine, sine = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.array([[cosine, -sine, 0, 1.5], [sine, cosine, 0, 0.0], [0, 0, 1, 2.1], [0, 0, 0, 1]])


def _add_label(frame: Any, index: int, kind, camera, points, top, level, position, size, heading, velocity) -> None:
    label = frame.laser_labels.add(type=kind, id=f"object-{index}", most_visible_camera_name=camera)
    label.num_lidar_points_in_box, label.num_top_lidar_points_in_box = points, top
    label.detection_difficulty_level = level
    # Given in the vehicle's axes, stored in the global ones.
    label.metadata.speed_x, label.metadata.speed_y = -velocity[1], velocity[0]
    for box, shift in ((label.box, 0.0), (label.camera_synced_box, 0.05)):
        if box is label.camera_synced_box and not camera:
            box.SetInParent()
            continue
        box.center_x, box.center_y = position[0] + shift * velocity[0], position[1] + shift * velocity[1]
        box.center_z, box.heading = position[2], heading
        box.length, box.width, box.height = size


def write_release(
    root: Path,
    splits: dict[str, Sequence[str]] | None = None,
    frames: int = 3,
    edit: Callable[[Any], None] | None = None,
) -> Path:
    """Writes segment files under `root`, and returns `root`.

    Args:
        root: Data root.
        splits: Names of segments by folder.
        frames: Of each segment.
        edit: Changes each frame before it is written.
    """
    for split, segments in (splits or {"training": ("a", "b"), "validation": ("c",)}).items():
        for segment in segments:
            made = [make_frame(segment, number) for number in range(frames)]
            for frame in filter(None, made if edit else ()):
                edit(frame)
            records = [frame.SerializeToString() for frame in made]
            (root / split).mkdir(parents=True, exist_ok=True)
            write_records(root / split / f"segment-{segment}_with_camera_labels.tfrecord", records)
    return root
