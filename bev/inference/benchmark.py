"""How much a live model saves by keeping image features, beside sending every frame of a clip through it anew."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from bev.benchmark_record import BenchmarkRecord
from bev.geometry import invert_pose, rotation_z
from bev.inference.streaming import StreamingPerceptor

FIELD_OF_VIEW = np.radians(70.0)
INTERVAL = 0.5  # seconds between steps
SPEED = 5.0  # metres per second


@dataclass(frozen=True)
class StreamingRecord(BenchmarkRecord):
    """Medians over the rounds.

    Attributes:
        frames: Frames that the model looks at.
        seconds: One step with the features of past frames kept.
        reference_seconds: The same step with all frames sent through the backbone, as in offline evaluation.
        largest_difference: Between the better half of the boxes and the nearest ones of the other way, metres, radians
            and metres per second. So the order of boxes whose scores differ by rounding doesn't count.
        peak_bytes: Most memory that tensors held on the GPU during a step with kept features, weights included; None
            on the CPU.
    """

    frames: int
    seconds: float
    reference_seconds: float
    largest_difference: float
    peak_bytes: int | None

    @property
    def ratio(self) -> float:
        """How many times faster the step with kept features is."""
        return self.reference_seconds / self.seconds


def measure_streaming(
    config: Config,
    size: tuple[int, int],
    cameras: int,
    rounds: int,
    device: str = "cpu",
    precision: str = "float32",
) -> StreamingRecord:
    """Times steps of a model with random weights on random images, after its history is full.

    Args:
        config: An experiment with a clip of several frames.
        size: Height and width of the images that the backbone gets, pixels.
        cameras: Number of cameras, looking in all directions.
        rounds: Steps of each kind.
        device: Where the model runs.
        precision: "float32", "bfloat16" or "float16" (autocast).
    """
    config = copy.deepcopy(config)
    dataset = config.test_dataloader.dataset
    dataset.pipeline = [step for step in dataset.pipeline if step["type"] != "ResizeCropFlipImages"]
    torch.manual_seed(0)
    keeping = StreamingPerceptor(config, device=device, precision=precision)
    anew = copy.deepcopy(keeping, {id(keeping.model): keeping.model})  # all but the model
    anew.keep_features = False
    frames = len(dataset.frame_offsets)
    stream, on_gpu = _Stream(size, cameras), torch.device(device).type == "cuda"
    times: dict[StreamingPerceptor, list[float]] = {keeping: [], anew: []}
    difference, peak = 0.0, 0
    for step in range(frames - 1 + rounds):
        arguments = stream.step(step * INTERVAL)
        boxes = []
        for perceptor, seconds in times.items():
            if step < frames - 1:
                perceptor.remember(**arguments)
                continue
            if on_gpu:
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            boxes.append(perceptor.step(**arguments).boxes_bev)
            seconds.append(time.perf_counter() - start)
            if on_gpu and perceptor is keeping:
                peak = max(peak, torch.cuda.max_memory_allocated())
        if boxes:
            difference = max(difference, _difference(*boxes))
    kept, recomputed = (float(np.median(seconds)) for seconds in times.values())
    return StreamingRecord(frames, kept, recomputed, difference, peak if on_gpu else None)


def _difference(boxes: np.ndarray, others: np.ndarray) -> float:
    """Largest difference of the better half of (M, 9) boxes, best first, to the nearest of (N, 9) others."""
    better = boxes[: (len(boxes) + 1) // 2, None]
    nearest = np.abs(better - others).max(axis=-1).min(axis=1, initial=np.inf)
    return float(nearest.max(initial=0.0))


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
