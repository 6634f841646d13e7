"""Where a live model's input comes from when it is no live rig: an index, a folder of images, or videos.

The calibration file of folders and videos (JSON; its own folder is where paths start):

    {"cameras": {"front": {"intrinsic": 3x3, "ego_T_cam": 4x4}, ...},
     "frames": [{"timestamp": 0.0, "images": {"front": "front/0000.jpg", ...}, "global_T_ego": 4x4}, ...],
     "videos": {"front": "front.mp4", ...},
     "poses": [{"timestamp": 0.0, "global_T_ego": 4x4}, ...]}

`intrinsic` is in pixels; camera frames are x right, y down, z forward, the vehicle's x forward, y left, z up; metres
and seconds. A camera may be missing from a frame. Without poses the vehicle stands still. `frames` is needed for
images, and `videos` for videos, whose first pictures belong together. The first video leads: its pictures are the
moments, and the others give theirs that are nearest in time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from pyquaternion import Quaternion

from bev.datasets.image_files import decode_image
from bev.datasets.nuscenes.dataset import NuScenesClipDataset
from bev.datasets.text_files import read_json, shorten
from bev.errors import InputError
from bev.geometry import CalibrationError, check_intrinsic, check_pose, invert_pose, split_projection
from bev.geometry.can_bus import MEASUREMENTS
from bev.transforms import LoadMultiCameraImages

TIME_SLACK = 0.02
"""Seconds by which a video's picture may be further away than half of the time between its pictures: rates vary."""


class SourceError(InputError):
    """A calibration file, image or video that can't be used."""


@dataclass
class StepInput:
    """Arguments of one `StreamingPerceptor.step`, and what they belong to. Images are RGB.

    Attributes:
        images, intrinsics, cam_T_ego: By camera name.
        ego_T_global: (4, 4).
        timestamp: Seconds.
        scene: Name of the drive; the model starts afresh where it changes.
        token: Sample token of an index; empty for others.
        ego_T_bev: (4, 4) where it is known; None for the model's own.
        motion: (9,) CAN bus measurements; None where there are none.
    """

    images: dict[str, np.ndarray]
    intrinsics: dict[str, np.ndarray]
    cam_T_ego: dict[str, np.ndarray]
    ego_T_global: np.ndarray
    timestamp: float
    scene: str = ""
    token: str = ""
    ego_T_bev: np.ndarray | None = None
    motion: np.ndarray | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `StreamingPerceptor.step`."""
        names = ("images", "intrinsics", "cam_T_ego", "ego_T_global", "timestamp", "ego_T_bev", "motion")
        return {name: getattr(self, name) for name in names}


class IndexReplay:
    """The samples of a nuScenes index, in order, exactly as offline evaluation sees them.

    Args:
        index: File written by `tools/create_data.py`.
        root: Data root.
        **dataset: Further arguments of `NuScenesClipDataset`, such as `bev_frame` or `on_error`.

    Attributes:
        cameras: Names of the data set's camera axis, for `StreamingPerceptor(cameras=...)`.
    """

    def __init__(self, index: str | Path, root: str | Path, **dataset: Any) -> None:
        self._samples = NuScenesClipDataset(
            ann_file=str(Path(index).absolute()),
            data_root=str(root),
            pipeline=[LoadMultiCameraImages()],
            test_mode=True,
            **dataset,
        )
        self.cameras: tuple[str, ...] = tuple(self._samples.metainfo["camera_names"])

    def __iter__(self) -> Iterator[StepInput]:
        for number in range(len(self._samples)):
            yield step_input_of(self._samples[number])


def step_input_of(clip: Mapping[str, Any]) -> StepInput:
    """The current frame of a loaded clip (see `bev.structures.clip`)."""
    frame = clip["frames"][clip["current"]]
    state = frame["can_bus"]
    global_T_ego = Quaternion(state[3:7]).transformation_matrix
    global_T_ego[:3, 3] = state[:3]
    ego_T_bev = invert_pose(global_T_ego) @ frame["global_T_bev"]
    intrinsics, cam_T_ego = {}, {}
    for name, camera in frame["cameras"].items():
        intrinsic, cam_T_bev = split_projection(torch.from_numpy(camera["pix_T_bev"]))
        intrinsics[name], cam_T_ego[name] = intrinsic.numpy(), cam_T_bev.numpy() @ invert_pose(ego_T_bev)
    return StepInput(
        images={name: camera["image"][..., ::-1] for name, camera in frame["cameras"].items()},
        intrinsics=intrinsics,
        cam_T_ego=cam_T_ego,
        ego_T_global=invert_pose(global_T_ego),
        timestamp=clip["timestamp"],
        scene=clip["scene_token"],
        token=clip["sample_token"],
        ego_T_bev=ego_T_bev,
        motion=state[MEASUREMENTS],
    )


def read_images(calibration: str | Path) -> Iterator[StepInput]:
    """The frames that a calibration file lists.

    Raises:
        SourceError, CalibrationError: If the file or an image can't be used; the message names it.
    """
    path, content, intrinsics, cam_T_ego = _read_calibration(calibration)
    for number, frame in enumerate(_entry(content, "frames", path, list)):
        images = {}
        where = f"{path}, frame {number}"
        for name, file in _entry(frame, "images", where, dict, {}).items():
            images[name] = _read_picture(path.parent / str(file), f"{where}, camera {name}")
        pose = _pose(frame, "global_T_ego", where)
        yield StepInput(images, intrinsics, cam_T_ego, invert_pose(pose), _number(frame, "timestamp", where))


def read_videos(calibration: str | Path, rate: float | None = None) -> Iterator[StepInput]:
    """The videos that a calibration file lists, picture by picture of the first one, and ends with that.

    Times count from each video's first picture. A camera has no image at a moment that none of its pictures is near:
    its video has ended or has a gap.

    Args:
        calibration: The file.
        rate: Pictures per second to keep; None for all.

    Raises:
        SourceError, CalibrationError: If the file or a video can't be used; the message names it.
    """
    path, content, intrinsics, cam_T_ego = _read_calibration(calibration)
    files = _entry(content, "videos", path, dict)
    if not files:
        raise SourceError(f"{path} lists no videos")
    (leader, file), *rest = files.items()
    followers = {name: _Follower(path.parent / str(other)) for name, other in rest}
    poses = [
        (_number(entry, "timestamp", where), _pose(entry, "global_T_ego", where))
        for number, entry in enumerate(_entry(content, "poses", path, list, []))
        for where in (f"{path}, pose {number}",)
    ]
    due, start = 0.0, None
    for picture in _decode(path.parent / str(file)):
        time = picture.time
        if start is None:
            due = start = time
        if rate is not None:
            if time < due - 1e-6:
                continue
            due = max(due, time - 1 / rate) + 1 / rate  # not from this picture on, which comes a little late
        pictures = {leader: picture, **{name: video.nearest(time - start) for name, video in followers.items()}}
        images = {name: found.rgb() for name, found in pictures.items() if found is not None}
        pose = min(poses, key=lambda entry: abs(entry[0] - time))[1] if poses else np.eye(4)
        yield StepInput(images, intrinsics, cam_T_ego, invert_pose(pose), time)


class _Picture(NamedTuple):
    """Of a video; `period` is what the file says of the seconds between pictures, None where it says nothing."""

    time: float
    frame: av.VideoFrame
    period: float | None

    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8. Costs as much as decoding does, so only pictures that are looked at are turned into it."""
        return self.frame.to_ndarray(format="rgb24")


class _Follower:
    """A video whose pictures are looked up by time, onwards only; holds two of them.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self._pictures = _decode(path)
        self._now, self._next = next(self._pictures), next(self._pictures, None)
        self._start = self._now.time
        # The usual time between pictures comes from the last few, since the rate may vary, and holes are few.
        self._periods = deque([] if self._now.period is None else [self._now.period], maxlen=9)
        self._note_period()

    def nearest(self, elapsed: float) -> _Picture | None:
        """The picture nearest to so many seconds after the first one; None where the video has a hole or has ended."""
        time = self._start + elapsed
        while self._next is not None and abs(self._next.time - time) <= abs(self._now.time - time):
            self._now, self._next = self._next, next(self._pictures, None)
            self._note_period()
        reach = median_low(self._periods) / 2 + TIME_SLACK if self._periods else TIME_SLACK
        return self._now if abs(self._now.time - time) <= reach else None

    def _note_period(self) -> None:
        if self._next is not None:
            self._periods.append(self._next.time - self._now.time)


def _read_calibration(calibration: str | Path) -> tuple[Path, dict, dict[str, np.ndarray], dict[str, np.ndarray]]:
    path = Path(calibration)
    if path.is_dir():
        raise SourceError(f"{path} is a folder: give the file that names the images (docs/own_cameras.md)")
    try:
        content = read_json(path, advice="see docs/own_cameras.md", refused=SourceError)
    except FileNotFoundError:
        raise SourceError(f"calibration file {path} doesn't exist") from None
    intrinsics, cam_T_ego = {}, {}
    for name, camera in _entry(content, "cameras", path, dict).items():
        where = f"{path}, camera {name}"
        intrinsic = _matrix(camera, "intrinsic", where)
        check_intrinsic(intrinsic, where)
        intrinsics[name], cam_T_ego[name] = intrinsic, invert_pose(_pose(camera, "ego_T_cam", where))
    if not intrinsics:
        raise CalibrationError(f"{path} lists no cameras")
    return path, content, intrinsics, cam_T_ego


def _entry(
    content: Any, key: str, where: object, kind: type | tuple[type, ...] = object, default: Any = None
) -> Any:
    """Entry of an object of a calibration file; without a default it must be there."""
    if not isinstance(content, dict) or (key not in content and default is None):
        raise SourceError(f"{where}: no entry {key!r}")
    value = content.get(key, default)
    if not isinstance(value, kind):
        raise SourceError(f"{where}: {key!r} can't be {shorten(value)}; see docs/own_cameras.md")
    return value


def _number(content: Any, key: str, where: object) -> float:
    value = _entry(content, key, where, (int, float))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SourceError(f"{where}: {key!r} can't be {shorten(value)}; see docs/own_cameras.md")
    return number


def _matrix(content: Any, key: str, where: object) -> np.ndarray:
    value = _entry(content, key, where, list)
    try:
        return np.array(value, dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise SourceError(f"{where}: {key!r} is no matrix of numbers: {shorten(value)}") from error


def _pose(content: Any, key: str, where: object) -> np.ndarray:
    """A checked pose (4, 4); the identity where `global_T_ego` isn't given."""
    if key == "global_T_ego" and isinstance(content, dict) and key not in content:
        return np.eye(4)
    pose = _matrix(content, key, where)
    check_pose(pose, f"{where}, {key}")
    return pose


def _read_picture(path: Path, where: str) -> np.ndarray:
    """A whole picture (H, W, 3), RGB."""
    try:
        return decode_image(path.read_bytes(), str(path))[..., ::-1]
    except (OSError, ValueError) as error:  # the latter of no image, and of a name that no file has
        raise SourceError(f"{where}: {path} can't be read ({error})") from error


def _decode(path: Path) -> Iterator[_Picture]:
    """The pictures of a video, of which there is at least one; their times grow."""
    last = None
    try:
        # Without "file:" FFmpeg takes what a stranger's file names for a device, a pipe or a server.
        with av.open(f"file:{path.absolute()}") as container:
            rate = container.streams.video[0].average_rate if container.streams.video else None
            for frame in container.decode(video=0) if container.streams.video else ():
                if frame.time is None or (last is not None and frame.time <= last):
                    raise SourceError(
                        f"video {path}: its pictures have no times, or times that run backwards; write it anew into a "
                        "container that has them: ffmpeg -i OLD NEW.mp4"
                    )
                last = float(frame.time)
                yield _Picture(last, frame, float(1 / rate) if rate else None)
        if last is None:
            raise SourceError(f"video {path} can't be read: it has no pictures")
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"video {path} can't be read: {error}") from error
