"""Writes scenes as Waymo segments: files of records in the real message format, at 2 Hz.

Five cameras expose their columns one after the other, each at its own time, as on the real cars; the LiDAR's turn is
taken as one moment, the frame's. Camera-synced boxes are where the most visible camera exposes the object's centre.
Lenses are ideal, there are no range images, no traffic signs and no human difficulty levels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from bev.datasets.parallel import run_forked
from bev.datasets.synthetic.generation import GENERATOR
from bev.datasets.synthetic.lidar import scan
from bev.datasets.synthetic.observe import points_in_boxes
from bev.datasets.synthetic.render import CameraView, moment
from bev.datasets.synthetic.rolling import RollingRenderer, centre_after, ego_after, exposure_times
from bev.datasets.synthetic.scene import FRAME_INTERVAL, Actor, Scene
from bev.datasets.synthetic.shards import check_counts
from bev.datasets.synthetic.waymo_rig import READOUT, RollingCamera, draw_waymo_rig
from bev.datasets.synthetic.world import build_scene
from bev.datasets.text_files import TextFileError, read_json, write_json
from bev.datasets.waymo.classes import CAMERAS, TYPES
from bev.datasets.waymo.messages import message_class
from bev.datasets.waymo.segment_assembly import OPTICAL_T_CAMERA
from bev.datasets.waymo.tfrecord import write_records
from bev.errors import InputError
from bev.geometry import invert_pose, wrap_angle, yaw_of

SPLITS = ("training", "validation")
MIN_RAYS = 8
"""A camera sees an object if so many of its rays hit it."""

LABELLED_RANGE = 75.0
"""Metres from ego."""

_OWN_FILE = re.compile(
    rf"(?:segment-)?(?P<name>synthetic-(?:{'|'.join(SPLITS)})-\d+)(?:_with_camera_labels\.tfrecord(?:\..*)?|\.json)"
)
_START = 1_550_000_000_000_000
_JPEG_QUALITY = 92
_LEFT_TO_RIGHT = 2


@dataclass(frozen=True)
class SegmentJob:
    """One segment to generate.

    Attributes:
        root: Data root.
        split: Folder inside it.
        name: Name of the segment.
        number: Distinguishes its time of recording.
        seed: What decides its content.
        frames: At 2 Hz.
        width: Of the pictures, pixels; those of the real cars are 1920 wide.
    """

    root: str
    split: str
    name: str
    number: int
    seed: tuple[int, ...]
    frames: int
    width: int

    @property
    def path(self) -> Path:
        """The segment's file."""
        return Path(self.root) / self.split / f"segment-{self.name}_with_camera_labels.tfrecord"

    @property
    def recipe_path(self) -> Path:
        """File that says how the segment was made; it exists once that of the segment does."""
        return Path(self.root) / "recipes" / f"{self.name}.json"

    def recipe(self) -> dict:
        """What the segment's content depends on."""
        values = {key: value for key, value in asdict(self).items() if key not in ("root", "split")}
        return json.loads(json.dumps({"generator": GENERATOR, **values}))

    def is_finished(self) -> bool:
        """Whether the segment was generated with this recipe and is still there."""
        if not self.recipe_path.is_file() or not self.path.is_file():
            return False
        try:
            return read_json(self.recipe_path) == self.recipe()
        except TextFileError:
            return False


def generate_waymo(
    root: str | Path,
    scenes: int = 32,
    val_scenes: int = 8,
    frames: int = 20,
    seed: int = 0,
    workers: int = 2,
    width: int = 352,
    progress: bool = True,
) -> Path:
    """Generates a synthetic data set that `tools/create_data.py waymo` indexes: training/ and validation/.

    A segment depends on the seed and its own number only. Finished ones are kept; a run that was stopped goes on.
    Generated segments beyond these numbers are deleted.

    Args:
        root: Data root; made if missing.
        scenes: Number of training segments.
        val_scenes: Number of held-out segments.
        frames: Per segment, 2 per second.
        seed: Decides everything.
        workers: Processes.
        width: Of the pictures, pixels.
        progress: Whether to show a progress bar.

    Returns:
        The data root.

    Raises:
        InputError: A number makes no sense.
        OSError: A file can't be written.
    """
    check_counts(scenes, val_scenes, frames, workers)
    if not 64 <= width <= 1920:
        raise InputError(f"the width must be 64 to 1920 pixels, got {width}")
    jobs = [
        SegmentJob(str(root), split, f"synthetic-{split}-{i + 1:04d}", 1000 * k + i, (seed, 10 + k, i), frames, width)
        for k, (split, count) in enumerate(zip(SPLITS, (scenes, val_scenes), strict=True))
        for i in range(count)
    ]
    missing = [job for job in jobs if not job.is_finished()]
    done = run_forked(_run_job, missing, workers)
    finished = len(jobs) - len(missing)
    for _ in tqdm(done, total=len(jobs), initial=finished, desc="segments", unit="segment", disable=not progress):
        pass
    _remove_unlisted(Path(root), {job.name for job in jobs})
    return Path(root)


def _remove_unlisted(root: Path, names: Collection[str]) -> None:
    """Deletes generated segments that are no longer part of the data set: the index takes all that lie there."""
    for folder in (*SPLITS, "recipes"):
        for path in (root / folder).glob("*synthetic-*"):
            own = _OWN_FILE.fullmatch(path.name)
            if own and own["name"] not in names:
                path.unlink()


def _run_job(job: SegmentJob) -> str:
    # One frame more than is written: whatever moves after the last frame's time moves towards it.
    scene = build_scene(job.name, job.seed, job.frames + 1, (job.width, job.width))
    rig, rolling = draw_waymo_rig(np.random.default_rng((*job.seed, 2)), job.width)
    start = _START + job.number * 3_600_000_000
    frames = segment_frames(replace(scene, rig=rig), rolling, start)
    write_records(job.path, (frame.SerializeToString(deterministic=True) for frame in frames))
    write_json(job.recipe_path, job.recipe())
    return job.name


def segment_frames(scene: Scene, rolling: Sequence[RollingCamera], start: int) -> Any:
    """Yields the `Frame` messages of all frames of a scene but the last.

    Args:
        scene: With a rig of the cameras.
        rolling: The cameras, in the order of `CAMERAS`.
        start: Time of the first frame, microseconds.
    """
    renderers = [RollingRenderer(scene, camera) for camera in rolling]
    for frame in range(len(scene) - 1):
        rng = np.random.default_rng((*scene.seed, frame))
        views = [renderer.render(frame, rng) for renderer in renderers]
        message = message_class("Frame")(timestamp_micros=start + round(frame * FRAME_INTERVAL * 1e6))
        message.context.name = scene.name
        message.context.stats.time_of_day, message.context.stats.location = "Day", "location_synthetic"
        message.context.stats.weather = "sunny"
        message.pose.transform.extend(scene.world_T_ego(frame).ravel().tolist())
        for number, (camera, view) in enumerate(zip(rolling, views, strict=True), start=1):
            _add_camera(message, scene, frame, number, camera, view)
        _add_labels(message, scene, frame, rolling, views, rng)
        yield message


def _add_camera(message: Any, scene: Scene, frame: int, number: int, rolling: RollingCamera, view: CameraView) -> None:
    camera = rolling.camera
    calibration = message.context.camera_calibrations.add(name=number, width=camera.width, height=camera.height)
    (f_u, _, c_u), (_, f_v, c_v) = camera.intrinsic[:2].tolist()
    calibration.intrinsic.extend([f_u, f_v, c_u, c_v, 0.0, 0.0, 0.0, 0.0, 0.0])
    vehicle_T_camera = camera.ego_T_camera @ OPTICAL_T_CAMERA
    calibration.extrinsic.transform.extend(vehicle_T_camera.ravel().tolist())
    calibration.rolling_shutter_direction = _LEFT_TO_RIGHT
    time = message.timestamp_micros / 1e6 + rolling.delay
    _, jpeg = cv2.imencode(".jpg", view.picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    image = message.images.add(name=number, image=jpeg.tobytes(), pose_timestamp=time)
    image.camera_trigger_time, image.camera_readout_done_time = time - READOUT / 2, time + READOUT / 2
    image.pose.transform.extend(ego_after(scene, frame, rolling.delay).ravel().tolist())


def _add_labels(
    message: Any,
    scene: Scene,
    frame: int,
    rolling: Sequence[RollingCamera],
    views: Sequence[CameraView],
    rng: np.random.Generator,
) -> None:
    """Labels of all objects of Waymo's classes that the LiDAR hits; cameras are told where they see them, too."""
    now = moment(scene, frame)
    sweep = scan(now, scene.rig.ego_T_lidar, len(scene.actors), rng)
    points = points_in_boxes(scene, frame, sweep, now.world_T_ego @ scene.rig.ego_T_lidar)
    rays = np.stack([view.visible for view in views])
    vehicle_T_world = invert_pose(now.world_T_ego)
    for actor in scene.actors:
        kind = waymo_class(actor, frame)
        away = np.linalg.norm(actor.positions[frame] - scene.ego_positions[frame])
        if kind is None or not points[actor.owner] or away > LABELLED_RANGE:
            continue
        label = message.laser_labels.add(type=TYPES[kind], id=f"{scene.name}-{actor.owner}")
        label.num_lidar_points_in_box = label.num_top_lidar_points_in_box = int(points[actor.owner])
        velocity = (actor.positions[frame + 1] - actor.positions[frame]) / FRAME_INTERVAL
        label.metadata.speed_x, label.metadata.speed_y = velocity.tolist()
        heading = float(actor.yaws[frame]) + yaw_of(vehicle_T_world)
        _fill_box(label.box, actor, vehicle_T_world, actor.centre(frame), heading)
        best = int(rays[:, actor.owner].argmax())
        if rays[best, actor.owner] < MIN_RAYS:
            continue
        label.most_visible_camera_name = CAMERAS[best]
        (time,) = exposure_times(scene, frame, rolling[best], [actor.owner])
        centre = centre_after(scene, frame, actor.owner, float(time))
        _fill_box(label.camera_synced_box, actor, vehicle_T_world, centre, heading)


def _fill_box(box: Any, actor: Actor, vehicle_T_world: np.ndarray, centre: np.ndarray, heading: float) -> None:
    box.center_x, box.center_y, box.center_z = (vehicle_T_world[:3, :3] @ centre + vehicle_T_world[:3, 3]).tolist()
    box.length, box.width, box.height = actor.size
    box.heading = wrap_angle(heading)


def waymo_class(actor: Actor, frame: int) -> str | None:
    """Waymo's class of an object; None for those that it doesn't label: things, and cycles without a rider."""
    category = actor.category
    if category.startswith("human.pedestrian"):
        return "pedestrian"
    if category == "vehicle.bicycle":
        return "cyclist" if actor.attributes[frame] == "cycle.with_rider" else None
    return "vehicle" if category.startswith("vehicle.") else None
