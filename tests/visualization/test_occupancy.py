from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import write_occupancy, write_pictures, write_tables

from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.occ3d import CLASSES, COLOURS, OccupancyLabelError
from bev.datasets.occ3d.submission import write_prediction
from bev.datasets.submission_errors import SubmissionError
from bev.visualization.layout import legend
from bev.visualization.occupancy import OccupancyPainter
from bev.visualization.occupancy_frame import LEGEND

INDEX = "nuscenes_infos_mini_val.pkl"
CAR, BUS = CLASSES.index("car"), CLASSES.index("bus")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tables(tmp_path_factory.mktemp("nuscenes"), scenes=("scene-0103",))
    build_indexes(root, "v1.0-mini")
    return write_occupancy(write_pictures(root))


@pytest.fixture(scope="module")
def predictions(root: Path) -> Path:
    """The truth with a bus instead of the car, for the first two of three samples."""
    painter = OccupancyPainter(root / INDEX, root)
    for number in range(2):
        voxels = painter.truth_of(number)
        write_prediction(root / "predictions", painter.token_of(number), np.where(voxels == CAR, BUS, voxels))
    return root / "predictions"


def tops(picture: np.ndarray, label: int) -> int:
    """Pixels of upper faces of a class, the legend left out."""
    views = picture[: -len(legend(picture.shape[1], LEGEND)) - 1]
    return int((views == COLOURS[label]).all(axis=2).sum())


def test_truth_and_predictions(root: Path, predictions: Path) -> None:
    truth = OccupancyPainter(root / INDEX, root).draw(0, 600)
    both = OccupancyPainter(root / INDEX, root, predictions).draw(0, 600)
    alone = OccupancyPainter(root / INDEX, root, predictions, truth=False).draw(0, 600)
    assert tops(truth, CAR)
    assert not tops(truth, BUS)
    assert tops(both, CAR)
    assert tops(both, BUS)
    assert not tops(alone, CAR)
    assert tops(alone, BUS)


def test_voxels_outside_of_the_mask_are_not_drawn(root: Path, predictions: Path) -> None:
    camera, lidar = (
        OccupancyPainter(root / INDEX, root, predictions, mask=mask).draw(0, 600) for mask in ("camera", "lidar")
    )
    for label in (CAR, BUS):
        assert not tops(camera, label)
        assert tops(lidar, label)


def test_frames_come_in_order_and_one_size(root: Path) -> None:
    painter = OccupancyPainter(root / INDEX, root, threads=1)
    pictures = list(painter.frames(range(len(painter)), 300))
    assert len(pictures) == len(painter) == 3
    assert {picture.shape for picture in pictures} == {pictures[0].shape}
    np.testing.assert_array_equal(pictures[1], painter.draw(1, 300))


def test_missing_files_are_named(root: Path, predictions: Path, tmp_path: Path) -> None:
    painter = OccupancyPainter(root / INDEX, root, predictions)
    with pytest.raises(SubmissionError, match=r"predictions/scene-0103-2\.npz: no such file"):
        painter.draw(2, 300)
    with pytest.raises(OccupancyLabelError, match="gts: no such folder"):
        OccupancyPainter(root / INDEX, tmp_path)


@pytest.mark.parametrize("options", [{"truth": False}, {"mask": "radar"}, {"mask": "camera", "truth": False}])
def test_arguments_that_make_no_sense(root: Path, options: dict) -> None:
    with pytest.raises(ValueError, match=r"nothing to draw|the mask"):
        OccupancyPainter(root / INDEX, root, **options)
