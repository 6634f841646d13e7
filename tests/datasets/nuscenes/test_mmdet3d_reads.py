"""mmdet3d's own dataset and metric read our index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.evaluation.metrics import NuScenesMetric
from tiny_nuscenes import write_tables

from bev.datasets.nuscenes.index_build import build_indexes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tables(tmp_path_factory.mktemp("nuscenes"))
    build_indexes(root, "v1.0-mini")
    return root


def _dataset(root: Path, **options: object) -> NuScenesDataset:
    return NuScenesDataset(
        data_root=str(root),
        ann_file="nuscenes_infos_mini_val.pkl",
        data_prefix={"pts": "", "img": ""},
        modality={"use_camera": True, "use_lidar": False},
        filter_empty_gt=False,
        pipeline=[],
        **options,
    )


def test_boxes_and_paths(root: Path):
    dataset = _dataset(root)
    assert len(dataset) == 6
    info = dataset.get_data_info(0)
    assert info["images"]["CAM_FRONT"]["img_path"] == str(root / "samples/CAM_FRONT/scene-0103-0-CAM_FRONT.jpg")
    annotations = info["ann_info"]
    classes = dataset.metainfo["classes"]
    # Without a LiDAR point, bicycle and cone are not for mmdet3d; -1 is the stroller.
    names = [classes[label] if label >= 0 else None for label in annotations["gt_labels_3d"]]
    assert names == ["car", "pedestrian", None]
    np.testing.assert_allclose(annotations["gt_bboxes_3d"].gravity_center[0], [-3, 20, -1], atol=1e-5)
    np.testing.assert_allclose(annotations["gt_bboxes_3d"].tensor[0, 7:], [0, 6], atol=1e-5)


def test_monocular_boxes(root: Path):
    dataset = _dataset(root, load_type="mv_image_based", box_type_3d="Camera", use_valid_flag=True)
    assert len(dataset) == 12
    annotations = dataset.get_data_info(0)["ann_info"]
    assert [dataset.metainfo["classes"][label] for label in annotations["gt_bboxes_labels"]] == [
        "car",
        "pedestrian",
        "traffic_cone",
    ]
    np.testing.assert_allclose(annotations["depths"], [19.96, 8.96, 11.96], atol=1e-4)


def test_metric_evaluates_ground_truth(root: Path, tmp_path: Path):
    dataset = _dataset(root, use_valid_flag=True)
    metric = NuScenesMetric(str(root), str(root / "nuscenes_infos_mini_val.pkl"), jsonfile_prefix=str(tmp_path))
    metric.dataset_meta = {"classes": dataset.metainfo["classes"], "version": "v1.0-mini"}
    for position in range(len(dataset)):
        truth = dataset.get_data_info(position)["ann_info"]
        known = truth["gt_labels_3d"] >= 0
        predictions = {
            "bboxes_3d": truth["gt_bboxes_3d"][known],
            "scores_3d": torch.ones(int(known.sum())),
            "labels_3d": torch.from_numpy(truth["gt_labels_3d"][known]),
        }
        metric.process({}, [{"pred_instances_3d": predictions, "pred_instances": {}, "sample_idx": position}])
    results = metric.evaluate(size=len(dataset))
    # Car, pedestrian and bicycle are seen; the cone and six other classes are not there.
    assert results["NuScenes metric/pred_instances_3d_NuScenes/mAP"] == pytest.approx(0.3, abs=1e-6)
    assert results["NuScenes metric/pred_instances_3d_NuScenes/car_trans_err"] < 1e-3
