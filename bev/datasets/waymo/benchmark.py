"""How fast a data set is indexed, beside decoding its images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bev.benchmark_record import BenchmarkRecord
from bev.datasets.image_files import read_image
from bev.datasets.parallel import run_forked
from bev.datasets.waymo.classes import type_labels
from bev.datasets.waymo.index_build import build_indexes, read_segments
from bev.datasets.waymo.messages import parse
from bev.datasets.waymo.segment import Segment
from bev.datasets.waymo.table import LabelFilter, build_table
from bev.datasets.waymo.tfrecord import RecordFile, write_records

NATIVE_WIDTH = 1920
LASERS = b"\x2a"
"""Tag of the field of LiDAR images, which is bytes to whoever doesn't parse it."""

LASER_BYTES = 3_000_000
"""About what LiDAR takes of a real frame's 5 MB."""


@dataclass(frozen=True)
class IndexRecord(BenchmarkRecord):
    """Wall times over all frames, seconds, with the files in the system's cache.

    Attributes:
        segments, frames, images: Of the data set.
        size: Of its files, bytes.
        workers: Processes, the same for both.
        index_seconds: Building the index.
        decode_seconds: Reading and decoding all images in place.
    """

    segments: int
    frames: int
    images: int
    size: int
    workers: int
    index_seconds: float
    decode_seconds: float

    @property
    def frames_per_second(self) -> float:
        """Frames indexed."""
        return self.frames / self.index_seconds

    @property
    def decoded_frames_per_second(self) -> float:
        """Frames whose images are decoded."""
        return self.frames / self.decode_seconds

    @property
    def ratio(self) -> float:
        """How many times quicker indexing is."""
        return self.decode_seconds / self.index_seconds


def measure_index(root: str | Path, workers: int = 2, rounds: int = 3) -> IndexRecord:
    """Times the index of a data set, and the decoding of all its images, with as many processes.

    Args:
        root: Data root of either layout, local.
        workers: Processes, forked: OpenCV must not have started threads in this one.
        rounds: The median of so many runs counts; the first one also brings the files into the cache and isn't counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        times = [_seconds(lambda: build_indexes(root, folder, workers=workers)) for _ in range(rounds + 1)]
        segments = [segment for path in sorted(Path(folder).glob("*.pkl")) for segment in read_segments(path)]
    decoding = [_seconds(lambda: _exhaust(run_forked(_decoder(root), segments, workers))) for _ in range(rounds)]
    paths = {f"{root}/{segment.path}" for segment in segments}
    return IndexRecord(
        segments=len(segments),
        frames=sum(map(len, segments)),
        images=sum(int(segment.has_image.sum()) for segment in segments),
        size=sum(Path(path).stat().st_size for path in paths),
        workers=workers,
        index_seconds=float(np.median(times[1:])),
        decode_seconds=float(np.median(decoding)),
    )


def write_full_size_release(source: Path, root: Path, segments: int, frames: int) -> None:
    """Makes a release of frames of real size from a small one.

    Its first frame is repeated with other times, its images are enlarged to 1920 pixels, and as many bytes as LiDAR
    takes are added.

    Args:
        source: A file of records.
        root: Data root to write to.
        segments: Number of segments.
        frames: Of each.
    """
    with tempfile.TemporaryDirectory() as folder:
        frame = parse("Frame", RecordFile(source, folder).read(0))
    noise = np.random.default_rng(0)
    for image, calibration in zip(frame.images, frame.context.camera_calibrations, strict=True):
        scale = NATIVE_WIDTH / calibration.width
        calibration.width, calibration.height = NATIVE_WIDTH, round(calibration.height * scale)
        calibration.intrinsic[:4] = [value * scale for value in calibration.intrinsic[:4]]
        image.image = _enlarged(image.image, (calibration.width, calibration.height), noise)
    lasers = LASERS + _varint(LASER_BYTES) + noise.bytes(LASER_BYTES)
    start = frame.timestamp_micros
    for number in range(segments):
        frame.context.name = f"full-size-{number}"
        records = []
        for step in range(frames):
            frame.timestamp_micros = start + 100_000 * step
            records.append(frame.SerializeToString() + lasers)
        write_records(root / "training" / f"segment-{frame.context.name}_with_camera_labels.tfrecord", records)


def _enlarged(jpeg: bytes, size: tuple[int, int], noise: np.random.Generator) -> bytes:
    """A JPEG at another width and height, with noise in place of the detail that it lacks."""
    picture = cv2.resize(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), size)
    grain = noise.normal(0, 4, picture.shape[:2])[:, :, None]
    return cv2.imencode(".jpg", np.clip(picture + grain, 0, 255).astype(np.uint8))[1].tobytes()


def _varint(number: int) -> bytes:
    digits = []
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _decoder(root: str | Path) -> Callable[[Segment], int]:
    """Function that decodes all images of a segment."""

    def decode(segment: Segment) -> int:
        table = build_table([segment], LabelFilter(type_labels(("vehicle",))))
        for k, (path, size) in enumerate(zip(table.frames.image_paths, table.frames.image_sizes, strict=True)):
            read_image(f"{root}/{path.decode()}", (int(size[0]), int(size[1])), part=table.part(k))
        return len(table.frames.image_paths)

    return decode


def _exhaust(items: Iterable[Any]) -> None:
    for _ in items:
        pass


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
