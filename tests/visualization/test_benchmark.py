from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tiny_nuscenes import write_occupancy, write_pictures, write_tables

from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.occ3d import CLASSES, FREE
from bev.visualization.benchmark import draw_with_matplotlib, measure_occupancy_pictures, report
from bev.visualization.occupancy import OccupancyPainter

INDEX = "nuscenes_infos_mini_val.pkl"


def test_a_record_of_a_few_frames(tmp_path: Path) -> None:
    root = write_tables(tmp_path, scenes=("scene-0103",), samples=1)
    build_indexes(root, "v1.0-mini")
    painter = OccupancyPainter(write_occupancy(write_pictures(root)) / INDEX, root)
    record = measure_occupancy_pictures(painter, tmp_path / "v.mp4", 200, rounds=2, threads=1, reference=False)
    assert painter.draw(0, 200).shape == (record.height, record.width, 3)
    numbers = record.as_json()
    assert numbers["frames_per_second"] == 1 / record.frame_seconds
    assert record.view_seconds < record.frame_seconds
    assert numbers["ratio"] is None
    assert (tmp_path / "v.mp4").stat().st_size > 0
    assert "frames/s drawn" in next(report(record))


def test_the_reference_draws_the_same_things() -> None:
    """Looking along x from the middle: a voxel ahead is above the middle of the picture, one with a greater y left."""
    voxels = np.full((20, 20, 4), FREE, np.uint8)
    voxels[15, 15, 0] = CLASSES.index("car")
    picture = cv2.imdecode(np.frombuffer(draw_with_matplotlib(voxels, (100, 160)), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (100, 160, 3)
    rows, columns = np.nonzero(picture[..., 0].astype(int) - picture[..., 2] > 60)
    assert 1 <= len(rows) < 100
    assert rows.max() < 50
    assert columns.max() < 80
