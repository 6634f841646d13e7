from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bev.datasets.nuscenes.lidar_files import LidarFileError, read_points


def test_points_come_back(tmp_path: Path) -> None:
    points = np.arange(15, dtype=np.float32).reshape(3, 5)
    points.tofile(tmp_path / "sweep.pcd.bin")
    np.testing.assert_array_equal(read_points(tmp_path / "sweep.pcd.bin"), points)


@pytest.mark.parametrize("size", [0, 7, 24])
def test_what_is_cut_short_is_named(tmp_path: Path, size: int) -> None:
    (tmp_path / "sweep.pcd.bin").write_bytes(bytes(size))
    with pytest.raises(LidarFileError, match=rf"sweep\.pcd\.bin: {size} bytes are no points of 20 bytes"):
        read_points(tmp_path / "sweep.pcd.bin")
    with pytest.raises(FileNotFoundError):
        read_points(tmp_path / "none.pcd.bin")
