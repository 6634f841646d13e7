"""A model on a live stream: one call per moment, and what was computed once is not computed again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.registry import MODELS

import bev
from bev.engine.checkpoint import load_weights
from bev.engine.config import load_config
from bev.engine.data_config import bev_frame, check_class_counts, evaluated_dataset
from bev.errors import InputError
from bev.geometry import check_pose, invert_pose
from bev.geometry.can_bus import can_bus_state
from bev.inference.detections import Detections
from bev.inference.frames import FrameBuilder, Image, camera_slots
from bev.inference.history import Frame, History, join, without_pixels
from bev.inference.tracking import GreedyTracker
from bev.models.perceptor import BEVPerceptor
from bev.structures import BEVMemory, CameraClip, ClipFeatures

# Where nuScenes' LiDAR sits on the vehicle, the frame that its models see the world from: x right, y forward.
NUSCENES_EGO_T_LIDAR = np.array([[0.0, 1, 0, 0.94], [-1, 0, 0, 0], [0, 0, 1, 1.84], [0, 0, 0, 1]])
MANY_PAUSES = 3  # in a row: more likely milliseconds or microseconds than pauses
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class _Now:
    """The present moment, what there is to say about it beside its images, and where it is: (4, 4) each."""

    frame: Frame
    sample: Det3DDataSample
    global_T_bev: np.ndarray
    global_T_ego: np.ndarray


class StreamingPerceptor:
    """Detects objects in the images of a moving camera rig, frame by frame.

    Gives the boxes of offline evaluation on the same frames. Image features of past frames are kept, so each image goes
    through the backbone once, whatever the number of frames that the model looks at. Past frames are chosen by time: a
    model trained on frames half a second apart gets such frames from a stream at ten per second, too.

    Args:
        config: An experiment's config, or its file.
        checkpoint: Weights; None leaves the model as it was initialised.
        device: Where the model runs.
        cameras: Names of the cameras in the order that the model was trained with. By default those that the first
            step of a drive knows, be it by an image, intrinsics or a pose: where a name is nuScenes', all six of
            nuScenes in their usual order; others by name.
        ego_T_bev: (4, 4) place of the model's bev frame on the vehicle. By default the identity for models of the
            vehicle's frame, and for models of nuScenes' LiDAR frame where that LiDAR sits on average.
        interval: Seconds between the frames of a clip in training; nuScenes' key frames are half a second apart.
        tolerance: How far from the wanted time a past frame may be, seconds.
        max_gap: A pause of more seconds, or time that runs backwards by more than `tolerance`, begins a new scene.
        colour: Channel order of the images, "rgb" or "bgr".
        precision: "float32", "bfloat16" or "float16" (autocast).
        score_threshold: Detections below it are left out.
        keep_features: Keep the image features of past frames. Without, their images are kept and go through the
            backbone again in every step: what offline evaluation does, and what this class is there to avoid.
        tracker: Gives detections their identities; None for none.

    Attributes:
        bev_frame: 'lidar' or 'ego', the frame that the model was trained in.

    Raises:
        InputError: If an option makes no sense, or the model looks into the future or detects nothing.
        ConfigError, CheckpointError: If a file can't be used.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path | None = None,
        device: str | torch.device = "cpu",
        *,
        cameras: Sequence[str] | None = None,
        ego_T_bev: np.ndarray | None = None,
        interval: float = 0.5,
        tolerance: float = 0.3,
        max_gap: float = 3.0,
        colour: str = "rgb",
        precision: str = "float32",
        score_threshold: float = 0.0,
        keep_features: bool = True,
        tracker: GreedyTracker | None = None,
    ) -> None:
        bev.register_all()
        config = config if isinstance(config, Config) else load_config(config)
        check_class_counts(config)
        if precision not in PRECISIONS:
            raise InputError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
        self.device, self.dtype = torch.device(device), PRECISIONS[precision]
        self.model: BEVPerceptor = MODELS.build(config.model).to(self.device).eval()
        _check_detects(self.model)
        if checkpoint is not None:
            load_weights(self.model, checkpoint, strict=True)
        dataset = evaluated_dataset(config)
        self.classes = tuple(dataset.get("classes", config.get("classes", ())))
        self._builder = FrameBuilder(dataset.pipeline, colour)
        self._cameras = None if cameras is None else tuple(cameras)
        embeddings = getattr(self.model.encoder, "camera_embeds", None)  # other encoders take any number of cameras
        self._most_cameras = np.inf if embeddings is None else len(embeddings)
        self._history = History(_seconds(dataset, interval, self.model.recurrent), tolerance)
        self.bev_frame = bev_frame(dataset)
        default = NUSCENES_EGO_T_LIDAR if self.bev_frame == "lidar" else np.eye(4)
        self.ego_T_bev = default if ego_T_bev is None else np.asarray(ego_T_bev, dtype=np.float64)
        check_pose(self.ego_T_bev, "ego_T_bev")
        self.max_gap, self.score_threshold, self.keep_features = max_gap, score_threshold, keep_features
        self.tracker = tracker
        self._pauses = 0

    def reset(self) -> None:
        """Begin a new scene: forget all frames, identities, and cameras that were not named in the constructor."""
        self._history.clear()
        if self.tracker is not None:
            self.tracker.reset()

    @torch.no_grad()
    def step(
        self,
        images: Mapping[str, Image | None] | Sequence[Image | None],
        intrinsics: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        cam_T_ego: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        ego_T_global: np.ndarray,
        timestamp: float,
        *,
        ego_T_bev: np.ndarray | None = None,
        motion: np.ndarray | None = None,
    ) -> Detections:
        """Look at one moment.

        Args:
            images: By camera name, or in a fixed order: (H, W, 3) arrays or (3, H, W) tensors, 0..255. None, or no
                entry, for a camera that delivered nothing; sizes may differ.
            intrinsics: (3, 3) of each camera, pixels of the image as given.
            cam_T_ego: (4, 4) of each camera, from the vehicle's frame (x forward, y left, z up) at `timestamp` to the
                camera's (x right, y down, z forward) at the time of its image.
            ego_T_global: (4, 4) from the global frame to the vehicle's at `timestamp`.
            timestamp: Seconds.
            ego_T_bev: (4, 4) in place of the constructor's, where it is known better for this drive.
            motion: (9,) acceleration, rotation rate and velocity as `bev.geometry.can_bus` describes, for BEVFormer v1;
                zeros by default.

        Returns:
            What was found, best first. Where no camera delivered an image, nothing, marked as not valid; such a step
            leaves no trace in the memory.

        Raises:
            InputError, CalibrationError: If an argument makes no sense, or the step is late or repeated: not after the
                last one, and at most `tolerance` before it. The memory is as before then.
        """
        now = self._enter(images, intrinsics, cam_T_ego, ego_T_global, timestamp, ego_T_bev, motion)
        if now is None:
            return Detections.nothing(float(timestamp))
        with self._autocast():
            features = self._look_back(now.frame)
            sample = self.model.predict_from_features(features, [now.sample])[0]
        now.frame.memory = features.memory
        if self.model.recurrent:  # the map is all that later steps read
            now.frame.clip, now.frame.pyramid = without_pixels(now.frame.clip), None
        self._history.add(now.frame)
        found = Detections.from_sample(sample, self.classes, now.global_T_bev, now.global_T_ego, now.frame.time)
        found = found.above(self.score_threshold)
        return found if self.tracker is None else found.with_tracks(self.tracker.update(found))

    @torch.no_grad()
    def remember(self, *args: Any, **kwargs: Any) -> None:
        """See a moment without detecting anything, to fill the history; arguments as for `step`.

        Raises:
            InputError: If the model is recurrent, which remembers what it detects with; or as for `step`.
        """
        if self.model.recurrent:
            raise InputError("a recurrent model has to step through every moment; use step")
        now = self._enter(*args, **kwargs)
        if now is not None:
            self._history.add(now.frame)

    def _enter(
        self,
        images: Mapping[str, Image | None] | Sequence[Image | None],
        intrinsics: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        cam_T_ego: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        ego_T_global: np.ndarray,
        timestamp: float,
        ego_T_bev: np.ndarray | None = None,
        motion: np.ndarray | None = None,
    ) -> _Now | None:
        """Check the arguments and look at the images; None where there are none."""
        check_pose(ego_T_global, "ego_T_global")
        global_T_ego = invert_pose(np.asarray(ego_T_global, dtype=np.float64))
        ego_T_bev = self.ego_T_bev if ego_T_bev is None else np.asarray(ego_T_bev, dtype=np.float64)
        named_images, named_intrinsics = _by_name(images), _by_name(intrinsics)
        cam_T_bev = {name: np.asarray(pose) @ ego_T_bev for name, pose in _by_name(cam_T_ego).items()}
        global_T_bev = global_T_ego @ ego_T_bev
        state = can_bus_state(global_T_ego, motion)
        begins = self._begins_scene(float(timestamp))
        slots = self._slots(begins, named_images, named_intrinsics, cam_T_bev)
        built = self._builder(named_images, named_intrinsics, cam_T_bev, global_T_bev, state, slots)
        if built is None:
            return None
        if begins:
            self.reset()
        clip, sample = built
        with self._autocast():
            return _Now(self._see(clip, float(timestamp), slots), sample, global_T_bev, global_T_ego)

    def _slots(self, begins: bool, *tables: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the camera axis: the same for a whole drive, since all its frames are looked at together."""
        if self._cameras is not None:
            return self._cameras
        last = None if begins else self._history.last
        slots = camera_slots(*tables) if last is None else last.cameras
        if len(slots) > self._most_cameras:
            raise InputError(
                f"the cameras are {', '.join(slots)}, but the model was built for at most {self._most_cameras}: name "
                "those that it was trained with, in their order, in StreamingPerceptor(cameras=[...]), or describe no "
                "others"
            )
        return slots

    def _see(self, clip: CameraClip, timestamp: float, slots: tuple[str, ...]) -> Frame:
        """The image features of a moment."""
        prepared = self.model.data_preprocessor({"inputs": clip}, False)["inputs"]
        if not self.keep_features:
            return Frame(timestamp, prepared, None, cameras=slots)
        pyramid = self.model.extract_images(prepared)
        return Frame(timestamp, without_pixels(prepared), pyramid, cameras=slots)

    def _look_back(self, current: Frame) -> ClipFeatures:
        """BEV features of the clip that ends now."""
        if self.model.recurrent:
            memory = self._remembered(current)
            clip, pyramids = join([], current)
            return self.model.extract_features(clip, pyramids, memory)
        clip, pyramids = join(self._history.find(current.time), current)
        return self.model.extract_features(clip, pyramids)

    def _remembered(self, current: Frame) -> BEVMemory | None:
        """The map of the frame one interval ago; of the newest frame where that is missing."""
        found = self._history.find(current.time)[0] or self._history.last
        return None if found is None else found.memory

    def _begins_scene(self, timestamp: float) -> bool:
        """Whether the frames so far are no past of this moment.

        Raises:
            InputError: If it is no time, or hardly before the last one.
        """
        if not np.isfinite(timestamp):
            raise InputError(f"timestamp is {timestamp}; seconds are needed")
        last = self._history.last
        if last is None:
            return False
        passed = timestamp - last.time
        if -self._history.tolerance <= passed <= 0:
            raise InputError(
                f"the step at {timestamp} s is not after the last one, at {last.time} s: leave out images that come "
                "late or twice, or begin a new scene with reset()"
            )
        self._pauses = self._pauses + 1 if passed > self.max_gap else 0
        if self._pauses == MANY_PAUSES:
            warnings.warn(
                f"{MANY_PAUSES} steps in a row came over {self.max_gap:g} s after the one before, so that each began a "
                "new scene: are timestamps in seconds?",
                stacklevel=2,
            )
        return not 0 < passed <= self.max_gap

    def _autocast(self) -> Any:
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)


def _check_detects(model: BEVPerceptor) -> None:
    """Refuse a model without a detection head, which would fail only after its first pass through all images."""
    if any(head.predicts == "pred_instances_3d" for head in model.heads.values()):
        return
    heads = ", ".join(f"{name} ({type(head).__name__})" for name, head in model.heads.items())
    raise InputError(
        f"the config's heads are {heads}, and none of them detects objects, which StreamingPerceptor is for: take a "
        "config with a detection head (BEVDetectionHead); tools/test.py evaluates other models"
    )


def _seconds(dataset: Mapping[str, Any], interval: float, recurrent: bool) -> list[float]:
    """Times of the past frames of a clip relative to now; of a recurrent model, of the one frame before.

    Raises:
        InputError: If there are future ones.
    """
    if recurrent:
        return [-interval]
    offsets = dataset.get("frame_offsets", (0,))
    if max(offsets) > 0:
        raise InputError(f"frame_offsets {tuple(offsets)} look into the future, which a live stream doesn't have")
    unit = 1.0 if dataset.get("offset_unit", "samples") == "seconds" else interval
    return [offset * unit for offset in offsets if offset != 0]


def _by_name(values: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Values by camera name; those in an order get names that keep it."""
    if isinstance(values, Mapping):
        return dict(values)
    return {f"camera_{index:02d}": value for index, value in enumerate(values)}
