from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_waymo import OBJECTS, START, write_release

from bev.datasets.waymo.ground_truth import ground_truth_objects
from bev.datasets.waymo.index_build import build_indexes, read_segments
from bev.visualization.boxes import true_boxes
from bev.visualization.layout import title_strip
from bev.visualization.palette import CLASS_COLOURS
from bev.visualization.waymo import WaymoPainter


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_release(tmp_path_factory.mktemp("waymo"), {"training": ("a", "b")}, frames=2)
    build_indexes(root)
    return root


@pytest.fixture(scope="module")
def results(root: Path) -> Path:
    """The truth of segment a as predictions; scores fall with each object."""
    truth = ground_truth_objects(read_segments(root / "waymo_infos_training.pkl")[:1])
    for number, entry in enumerate(truth.objects):
        entry.score = 0.9 - 0.2 * (number % len(OBJECTS))
    (root / "predictions.bin").write_bytes(truth.SerializeToString())
    return root / "predictions.bin"


def painter_of(root: Path, results: Path | None = None, **options) -> WaymoPainter:
    return WaymoPainter(root / "waymo_infos_training.pkl", root, results, **options)


def test_predictions_are_found_by_segment_and_time(root: Path, results: Path) -> None:
    painter = painter_of(root, results)
    assert [painter.token_of(number) for number in range(4)][1] == f"a_{START + 100_000}"
    found = painter._predictions.of(f"a_{START + 100_000}")
    assert found.names == ["vehicle", "pedestrian", "cyclist", "sign", "vehicle"]
    np.testing.assert_allclose(found.boxes[0], [*OBJECTS[0][5], *OBJECTS[0][6], OBJECTS[0][7]], rtol=1e-6)
    assert len(found.above(0.4).names) == 3
    assert painter._predictions.of(f"b_{START}").names == []
    assert painter.draw(3, 120).shape == painter.draw(0, 120).shape


def test_predictions_are_coloured_and_the_truth_is_white(root: Path, results: Path) -> None:
    """Seen from above, the car is 20 m ahead: above the middle of the panel at the right, 40 m in each direction."""

    def panel_of(painter: WaymoPainter) -> np.ndarray:
        picture = painter.draw(0, 200).astype(int)
        picture = picture[len(title_strip(picture.shape[1], "", {}, CLASS_COLOURS)) :]
        panel = picture[:, -len(picture) :]
        middle = len(panel) // 2
        return panel[middle // 4 : middle, middle - 20 : middle + 20]

    blue = np.array(CLASS_COLOURS["vehicle"])
    assert (np.abs(panel_of(painter_of(root, results, extent=40)) - blue).max(axis=2) < 40).any()
    alone = panel_of(painter_of(root, extent=40))
    assert not (np.abs(alone - blue).max(axis=2) < 40).any()
    assert (alone.min(axis=2) > 200).any()


def test_truth_of_the_challenge_or_of_the_lidar(root: Path) -> None:
    def truth(**options) -> list[str]:
        painter = painter_of(root, **options)
        return true_boxes(painter._dataset[0], painter._dataset.classes, painter._extent).names

    assert truth() == ["vehicle", "pedestrian", "cyclist"]
    assert truth(lidar_boxes=True) == ["vehicle", "pedestrian", "cyclist", "vehicle"]  # and the car behind
    assert truth(extent=15) == ["pedestrian", "cyclist"]


def test_old_releases_show_the_lidars_boxes(tmp_path: Path) -> None:
    def forget(frame) -> None:
        for label in frame.laser_labels:
            label.ClearField("most_visible_camera_name")

    build_indexes(write_release(tmp_path, {"training": ("a",)}, frames=1, edit=forget))
    painter = painter_of(tmp_path)
    assert "boxes of the LiDAR" in painter._title(painter.token_of(0))
    assert len(true_boxes(painter._dataset[0], painter._dataset.classes, painter._extent).names) == 4


def test_cameras_are_undistorted(root: Path) -> None:
    """Boxes are projected by ideal lenses."""
    cameras = painter_of(root)._dataset[0]["frames"][0]["cameras"]
    assert all("lens" not in camera for camera in cameras.values())
