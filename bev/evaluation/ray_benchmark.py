"""How fast RayIoU is, beside following each ray from voxel to voxel in Python."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from bev.benchmark_record import BenchmarkRecord
from bev.datasets.index_io import read_samples
from bev.datasets.occ3d.classes import FREE, GRID
from bev.datasets.occ3d.labels import find_labels, read_labels
from bev.errors import InputError
from bev.evaluation.ray_iou import RAY_FIELDS, count_rays, lidar_rays, ray_origins
from bev.geometry.voxel_rays import first_hits

FLIPPED = 0.01  # share of the voxels that the made predictions get wrong beside a shift by a voxel


@dataclass(frozen=True)
class RayRecord(BenchmarkRecord):
    """Times in seconds; reading files is not counted.

    Attributes:
        frames: How many were evaluated.
        rays: Of a frame, over all origins, on average; each is cast in the prediction and in the truth.
        seconds_per_frame: RayIoU of a frame.
        seconds_per_ray: Of a ray in one of the two, from that.
        reference_seconds_per_ray: The same ray in Python.
        largest_difference: Between the distances of the two, in voxels.
    """

    frames: int
    rays: float
    seconds_per_frame: float
    seconds_per_ray: float
    reference_seconds_per_ray: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """How many times faster than Python."""
        return self.reference_seconds_per_ray / self.seconds_per_ray


def measure_rays(root: str, index: str, frames: int, reference_rays: int = 500) -> RayRecord:
    """Times RayIoU of labels against themselves shifted by a voxel and disturbed.

    Args:
        root: Data root with Occ3D's labels.
        index: Index of the samples; they come round again where it has fewer than `frames`.
        frames: How many to evaluate.
        reference_rays: Rays for Python.

    Raises:
        InputError: If the index has no samples or `frames` is not positive.
    """
    records = read_samples(index, *RAY_FIELDS)["data_list"]
    if not records or frames < 1:
        raise InputError(f"{index}: {len(records)} samples, {frames} frames asked for; at least one of each is needed")
    origins, files = ray_origins(records), find_labels(root, [record["token"] for record in records])
    generator = np.random.default_rng(0)
    total, rays = 0.0, 0
    for number in tqdm(range(frames + 1), desc="RayIoU", unit="frame"):
        record = records[number % len(records)]
        labels = read_labels(files[record["token"]]).semantics
        starts = origins[record["token"]]
        prediction = _disturbed(labels, generator)
        start = time.perf_counter()
        count_rays(prediction, labels, starts)
        if number:  # the first one compiles
            total += time.perf_counter() - start
            rays += len(starts) * len(lidar_rays())
    reference, difference = _follow(labels, GRID.to_voxels(starts)[0], reference_rays, generator)
    return RayRecord(frames, rays / frames, total / frames, total / rays / 2, reference, difference)


def _disturbed(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    prediction = np.roll(labels, 1, axis=0)
    wrong = generator.integers(0, labels.size, int(FLIPPED * labels.size))
    prediction.reshape(-1)[wrong] = generator.integers(0, FREE, len(wrong))
    return prediction


def _follow(labels: np.ndarray, origin: np.ndarray, count: int, generator: np.random.Generator) -> tuple[float, float]:
    """Seconds for a ray in Python, and how far its hits are from the compiled ones."""
    rays = lidar_rays()[generator.integers(0, len(lidar_rays()), count)].astype(np.float64)
    _, expected = first_hits(labels, FREE, origin, rays)
    start = time.perf_counter()
    distances = [follow_ray(labels, FREE, origin, ray)[1] for ray in rays]
    seconds = (time.perf_counter() - start) / count
    return seconds, float(np.abs(np.array(distances) - expected[0]).max())


def follow_ray(voxels: np.ndarray, free: int, origin: np.ndarray, direction: np.ndarray) -> tuple[int, float]:
    """Label of the first voxel that isn't free, and where the ray leaves it or the grid (Amanatides and Woo, 1987).

    Args:
        voxels: (X, Y, Z) labels.
        free: The label that rays pass.
        origin: Inside the grid, voxel coordinates.
        direction: Unit vector.
    """
    position = [int(np.floor(value)) for value in origin]
    crossings = [_crossing(*axis) for axis in zip(position, origin, direction, strict=True)]
    while True:
        axis = int(np.argmin(crossings))
        leaves = crossings[axis]
        label = int(voxels[tuple(position)])
        if label != free:
            return label, leaves
        position[axis] += 1 if direction[axis] > 0 else -1
        if not 0 <= position[axis] < voxels.shape[axis]:
            return free, leaves
        crossings[axis] = _crossing(position[axis], origin[axis], direction[axis])


def _crossing(cell: int, origin: float, direction: float) -> float:
    """Where a ray leaves a cell along one axis."""
    return float("inf") if direction == 0 else (cell + (direction > 0) - origin) / direction
