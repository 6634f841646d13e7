from __future__ import annotations

import numpy as np
import pytest
from tiny_nuscenes import true_objects, write_pictures, write_tables

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
