from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import true_objects, write_pictures, write_tables

from bev.datasets.image_files import ImageReadError
from bev.datasets.index_io import read_index, write_index
from bev.datasets.nuscenes.classes import CLASSES
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.nuscenes.submission import format_boxes, write_submission
from bev.visualization.boxes import true_boxes
from bev.visualization.nuscenes import NuScenesPainter, read_lidar

INDEX = "nuscenes_infos_mini_val.pkl"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = write_tables(tmp_path_factory.mktemp("nuscenes"))
    build_indexes(root, "v1.0-mini")
    return write_pictures(root)


def test_ground_truth_sent_through_a_submission_comes_back_to_the_same_place(root, tmp_path):
    results = {}
    for entry, boxes, labels, _ in true_objects(root / INDEX):
        global_T_lidar = np.array(entry["ego2global"]) @ np.array(entry["lidar_points"]["lidar2ego"])
        scores = np.full(len(labels), 0.9)
        results[entry["token"]] = format_boxes(boxes, scores, labels, global_T_lidar, entry["token"])
    write_submission(tmp_path / "results.json", results)
    painter = NuScenesPainter(root / INDEX, root, tmp_path / "results.json")
    clip = painter._dataset[1]
    predicted, truth = painter._predictions(clip), true_boxes(clip, CLASSES, painter._extent)
    lidar_boxes = [name for name in truth.names if name in predicted.names]
    assert lidar_boxes
    for name, box in zip(truth.names, truth.boxes, strict=True):
        distance = np.linalg.norm(predicted.boxes[:, :3] - box[:3], axis=1)
        nearest = int(distance.argmin())
        assert predicted.names[nearest] == name
        np.testing.assert_allclose(predicted.boxes[nearest], box, atol=1e-4)


def test_draws_with_and_without_predictions(root, tmp_path):
    painter = NuScenesPainter(root / INDEX, root, extent=30)
    pictures = list(painter.frames([0, 1], width=200))
    assert len(painter) == 6
    assert pictures[0].shape == pictures[1].shape
    assert pictures[0].std() > 5


def test_lidar_files(tmp_path):
    points = np.arange(10, dtype=np.float32).reshape(2, 5)
    points.tofile(tmp_path / "sweep.pcd.bin")
    np.testing.assert_array_equal(read_lidar(tmp_path / "sweep.pcd.bin"), points[:, :3])
    assert read_lidar(tmp_path / "missing.pcd.bin") is None
    assert read_lidar(None) is None


def test_a_sample_without_a_camera_is_as_large_as_the_others(root: Path, tmp_path: Path) -> None:
    content = read_index(root / INDEX)
    del content["data_list"][0]["images"]["CAM_BACK"]
    write_index(tmp_path / INDEX, content["metainfo"], content["data_list"])
    painter = NuScenesPainter(tmp_path / INDEX, root)
    assert painter.cameras == {"CAM_FRONT": (900, 1600), "CAM_BACK": (900, 1600)}
    assert painter.draw(0, 120).shape == painter.draw(1, 120).shape


def test_a_missing_image_is_named_without_the_advice_for_configs(root: Path, tmp_path: Path) -> None:
    painter = NuScenesPainter(root / INDEX, tmp_path)
    assert not painter.has_images(0) and NuScenesPainter(root / INDEX, root).has_images(0)
    with pytest.raises(ImageReadError, match=r"CAM_FRONT.*cannot be read.*; sample \S+$"):
        painter.draw(0, 120)
