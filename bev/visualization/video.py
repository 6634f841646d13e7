"""MP4 files that browsers and players open."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from bev.datasets.atomic import atomic_path
from bev.errors import InputError

QUALITY = "20"
"""x264's constant rate factor; lower is better and larger."""


def write_mp4(path: str | Path, frames: Iterable[np.ndarray], fps: float = 4.0) -> Path:
    """Write RGB frames (H, W, 3) uint8 of one size, with even sides, as H.264.

    Raises:
        InputError: If there are no frames, or one is of another size than the first.
        OSError: If the file can't be written.
    """
    path, frames = Path(path), iter(frames)
    first = next(frames, None)
    if first is None:
        raise InputError(f"no frames to write to {path}")
    # Without "file:" a folder such as "http:" would have FFmpeg look for a server.
    with atomic_path(path, ".mp4") as temporary, av.open(f"file:{temporary.absolute()}", "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": QUALITY, "movflags": "+faststart"}
        for number, frame in enumerate(chain([first], frames)):
            _check_size(frame, first, f"{path}: frame {number}")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return path


def _check_size(frame: np.ndarray, first: np.ndarray, where: str) -> None:
    """Refuse a frame that the encoder would stretch without a word."""
    if frame.shape != first.shape:
        (height, width), (first_height, first_width) = frame.shape[:2], first.shape[:2]
        raise InputError(
            f"{where} is {width} x {height} pixels, but the first is {first_width} x {first_height}; "
            "a video needs frames of one size, such as with the same cameras in each"
        )
