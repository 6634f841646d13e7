"""How fast pictures of occupancy are drawn, beside matplotlib's voxels."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.figure
import numpy as np

from bev.benchmark_record import BenchmarkRecord
from bev.datasets.occ3d.classes import COLOURS, GRID
from bev.geometry.voxels import VoxelGrid
from bev.visualization.occupancy import OccupancyPainter
from bev.visualization.occupancy_frame import OVERVIEW_ASPECT
from bev.visualization.overview import FIELD_OF_VIEW, PITCH, overview_projection
from bev.visualization.video import write_mp4
from bev.visualization.voxels import render_voxels

REFERENCE_VOXELS = 50
"""Voxels along x and y, around the vehicle, of the part that matplotlib draws too; the whole takes it many minutes."""


@dataclass(frozen=True)
class PictureRecord(BenchmarkRecord):
    """Medians over the rounds, seconds.

    Attributes:
        height: Of a whole picture, pixels.
        width: Of a whole picture, pixels.
        frame_seconds: A whole frame, from files to pixels: six images, prediction and truth, two views of each.
        video_seconds: A whole frame of an MP4, encoded as well.
        view_seconds: One bird's-eye view of the truth.
        part_seconds: The same of the voxels around the vehicle alone.
        reference_seconds: This part by matplotlib's `Axes3D.voxels`, drawn once.
        threads: Of a view.
    """

    height: int
    width: int
    frame_seconds: float
    video_seconds: float
    view_seconds: float
    part_seconds: float
    reference_seconds: float | None
    threads: int

    @property
    def frames_per_second(self) -> float:
        """Whole frames drawn."""
        return 1 / self.frame_seconds

    @property
    def video_frames_per_second(self) -> float:
        """Whole frames drawn and encoded."""
        return 1 / self.video_seconds

    @property
    def ratio(self) -> float | None:
        """How many times faster than matplotlib the part is drawn."""
        return None if self.reference_seconds is None else self.reference_seconds / self.part_seconds


def measure_occupancy_pictures(
    painter: OccupancyPainter, video: Path, width: int, rounds: int, threads: int, reference: bool = True
) -> PictureRecord:
    """Times pictures of an index's samples.

    Args:
        painter: Draws prediction and truth.
        video: Where an MP4 of the frames is written.
        width: Of the pictures, pixels.
        rounds: Frames to draw; with fewer samples, these take turns.
        threads: For the single view; the painter has its own.
        reference: Whether to draw the part with matplotlib, which takes seconds.
    """
    numbers = [number % len(painter) for number in range(rounds)]
    height = len(painter.draw(0, width))  # compiles what isn't yet
    frames = [_seconds(lambda number=number: painter.draw(number, width)) for number in numbers]  # type: ignore[misc]
    filmed = _seconds(lambda: write_mp4(video, painter.frames(numbers, width))) / rounds
    size = (round(width / 2 / OVERVIEW_ASPECT), width // 2)
    voxels = painter.truth_of(0)
    part, grid = _middle(voxels)
    views, parts = (
        [_seconds(lambda s=shown, g=of: _overview(s, g, size, threads)) for _ in range(rounds)]  # type: ignore[misc]
        for shown, of in ((voxels, GRID), (part, grid))
    )
    plain = _seconds(lambda: draw_with_matplotlib(part, size)) if reference else None
    drawn, view, middle = (float(np.median(seconds)) for seconds in (frames, views, parts))
    return PictureRecord(height, width, drawn, filmed, view, middle, plain, threads)


def _middle(voxels: np.ndarray) -> tuple[np.ndarray, VoxelGrid]:
    """The part that matplotlib draws, and where it is."""
    x, y = ((count - REFERENCE_VOXELS) // 2 for count in voxels.shape[:2])
    part = voxels[x : x + REFERENCE_VOXELS, y : y + REFERENCE_VOXELS]
    ends = np.array([[x, y, 0], [x + REFERENCE_VOXELS, y + REFERENCE_VOXELS, voxels.shape[2]]])
    low, high = GRID.to_metres(ends).tolist()
    return part, VoxelGrid((*low, *high), (REFERENCE_VOXELS, REFERENCE_VOXELS, voxels.shape[2]))


def _overview(voxels: np.ndarray, grid: VoxelGrid, size: tuple[int, int], threads: int) -> np.ndarray:
    projection = overview_projection(grid.bounds, size)
    return render_voxels(voxels, projection, size, grid=grid, threads=threads)


def draw_with_matplotlib(voxels: np.ndarray, size: tuple[int, int], dpi: int = 100) -> bytes:
    """A PNG of about the same view (height, width in pixels) by `Axes3D.voxels`."""
    figure = matplotlib.figure.Figure(figsize=(size[1] / dpi, size[0] / dpi), dpi=dpi)
    axes = figure.add_subplot(projection="3d")
    shown = voxels < len(COLOURS)
    palette = np.array([*COLOURS, *[(0, 0, 0)] * (256 - len(COLOURS))]) / 255
    axes.voxels(shown, facecolors=palette[voxels])
    axes.set(xlim=(0, voxels.shape[0]), ylim=(0, voxels.shape[1]), zlim=(0, voxels.shape[2]))
    axes.set_box_aspect(voxels.shape)
    axes.set_proj_type("persp", focal_length=1 / np.tan(FIELD_OF_VIEW / 2))
    axes.view_init(elev=np.degrees(PITCH), azim=180)
    axes.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def report(record: PictureRecord) -> Iterator[str]:
    """Lines that show a record."""
    yield (
        f"pictures of {record.width} x {record.height}, six images, prediction and truth, two views of each: "
        f"{record.frames_per_second:.2f} frames/s drawn, {record.video_frames_per_second:.2f} with MP4"
    )
    yield f"one bird's-eye view: {record.view_seconds:.3f} s"
    if record.reference_seconds is not None:
        yield (
            f"the {REFERENCE_VOXELS} x {REFERENCE_VOXELS} columns around the vehicle: {record.part_seconds:.3f} s; "
            f"matplotlib's Axes3D.voxels {record.reference_seconds:.1f} s, x {record.ratio:.0f}"
        )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
