"""How much a live model saves by keeping image features, beside sending every frame of a clip through it anew."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from bev.geometry import invert_pose, rotation_z
from bev.inference.streaming import StreamingPerceptor

FIELD_OF_VIEW = np.radians(70.0)
INTERVAL = 0.5  # seconds between steps
SPEED = 5.0  # metres per second


@dataclass(frozen=True)
class StreamingRecord:
    """Medians over the rounds.

    Attributes:
        frames: Frames that the model looks at.
        seconds: One step with the features of past frames kept.
        reference_seconds: The same step with all frames sent through the backbone, as in offline evaluation.
        largest_difference: Between the boxes of the two, metres, radians and metres per second.
    """

    frames: int
    seconds: float
    reference_seconds: float
    largest_difference: float

    def as_json(self) -> dict[str, Any]:
        """All numbers, and how many times faster the step with kept features is."""
        return {**asdict(self), "ratio": self.reference_seconds / self.seconds}


def measure_streaming(
    config: Config, size: tuple[int, int], cameras: int, rounds: int, device: str = "cpu"
) -> StreamingRecord:
    """Times steps of a model with random weights on random images, after its history is full.

    Args:
        config: An experiment with a clip of several frames.
        size: Height and width of the images that the backbone gets, pixels.
        cameras: Number of cameras, looking in all directions.
        rounds: Steps of each kind.
        device: Where the model runs.
    """
    config = copy.deepcopy(config)
    dataset = config.test_dataloader.dataset
    dataset.pipeline = [step for step in dataset.pipeline if step["type"] != "ResizeCropFlipImages"]
    torch.manual_seed(0)
    keeping = StreamingPerceptor(config, device=device)
    anew = StreamingPerceptor(config, device=device, keep_features=False)
    anew.model.load_state_dict(keeping.model.state_dict())
    frames = len(dataset.frame_offsets)
    stream = _Stream(size, cameras)
    times: dict[StreamingPerceptor, list[float]] = {keeping: [], anew: []}
    difference = 0.0
    for step in range(frames - 1 + rounds):
        arguments = stream.step(step * INTERVAL)
        boxes = []
        for perceptor, seconds in times.items():
            if step < frames - 1:
                perceptor.remember(**arguments)
                continue
            start = time.perf_counter()
            boxes.append(perceptor.step(**arguments).boxes_bev)
            seconds.append(time.perf_counter() - start)
        if boxes:
            difference = max(difference, float(np.abs(boxes[0] - boxes[1]).max(initial=0.0)))
    kept, recomputed = (float(np.median(seconds)) for seconds in times.values())
    return StreamingRecord(frames, kept, recomputed, difference)


class _Stream:
    """Cameras on a vehicle that drives straight on, with noise for images."""

    def __init__(self, size: tuple[int, int], cameras: int) -> None:
        self.size = size
        focal = size[1] / 2 / np.tan(FIELD_OF_VIEW / 2)
        intrinsic = np.array([[focal, 0, size[1] / 2], [0, focal, size[0] / 2], [0, 0, 1]])
        front = np.array([[0.0, -1, 0, 0], [0, 0, -1, 1.5], [1, 0, 0, 0], [0, 0, 0, 1]])
        self.cam_T_ego = {f"camera_{i}": front @ rotation_z(-2 * np.pi * i / cameras) for i in range(cameras)}
        self.intrinsics = dict.fromkeys(self.cam_T_ego, intrinsic)
        self.generator = np.random.default_rng(0)

    def step(self, now: float) -> dict[str, Any]:
        """Arguments of a step."""
        global_T_ego = np.eye(4)
        global_T_ego[0, 3] = SPEED * now
        shape = (*self.size, 3)
        return {
            "images": {name: self.generator.integers(0, 255, shape, dtype=np.uint8) for name in self.cam_T_ego},
            "intrinsics": self.intrinsics,
            "cam_T_ego": self.cam_T_ego,
            "ego_T_global": invert_pose(global_T_ego),
            "timestamp": now,
        }
