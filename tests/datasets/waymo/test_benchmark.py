from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tiny_waymo import write_release

from bev.datasets.waymo.benchmark import LASER_BYTES, measure_index, write_full_size_release
from bev.datasets.waymo.index_build import build_indexes, read_segments


def test_frames_of_real_size_are_indexed_and_decoded(tmp_path: Path) -> None:
    small = write_release(tmp_path / "small", {"training": ("a",)}, frames=1)
    (source,) = (small / "training").iterdir()
    write_full_size_release(source, tmp_path / "large", segments=2, frames=2)
    record = measure_index(tmp_path / "large", workers=1, rounds=1).as_json()
    assert (record["segments"], record["frames"], record["images"]) == (2, 4, 20)
    assert record["size"] == sum(path.stat().st_size for path in (tmp_path / "large").rglob("*.tfrecord"))
    assert record["size"] > 4 * LASER_BYTES
    assert record["ratio"] == record["decode_seconds"] / record["index_seconds"]
    build_indexes(tmp_path / "large")
    segment, _ = read_segments(tmp_path / "large" / "waymo_infos_training.pkl")
    assert segment.camera_sizes.tolist() == [[1280, 1920]] * 3 + [[890, 1920]] * 2  # of 192 x 89
    data = (tmp_path / "large" / segment.path).read_bytes()
    start, length = int(segment.image_offsets[1, 4]), int(segment.image_lengths[1, 4])
    assert cv2.imdecode(np.frombuffer(data[start : start + length], np.uint8), 0).shape == (890, 1920)
