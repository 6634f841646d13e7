"""Occupancy in a validation loop, and the counts underneath."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from bev.datasets.index_io import write_index
from bev.datasets.occ3d import CLASSES, FREE, GRID, UNKNOWN, OccupancyLabels
from bev.datasets.occ3d.submission import read_prediction
from bev.evaluation.occupancy import occupancy_fscore, occupancy_miou
from bev.evaluation.occupancy_counts import OccupancyCounts, count_sample, most_frequent_labels
from bev.evaluation.occupancy_metric import OccupancyMetric
from bev.evaluation.ray_iou import LIDAR_ORIGIN, ray_iou

CAR, ROAD = CLASSES.index("car"), CLASSES.index("driveable_surface")


def labels(seed: int) -> OccupancyLabels:
    generator = np.random.default_rng(seed)
    semantics = np.full(GRID.shape, FREE, dtype=np.uint8)
    semantics[:, :, 2] = ROAD
    semantics[110:130, 80 + seed : 110, 3:6] = CAR
    return OccupancyLabels(semantics, generator.random(GRID.shape) < 0.6, generator.random(GRID.shape) < 0.4)


def prediction(seed: int) -> np.ndarray:
    found = labels(seed).semantics
    found[115:, :, 3:5] = CAR
    return found


def sample(seed: int) -> dict:
    truth = labels(seed)
    return {
        "sample_token": f"token{seed}",
        "pred_occupancy": torch.from_numpy(prediction(seed)),
        "gt_occupancy": BaseDataElement(
            semantics=torch.from_numpy(truth.semantics),
            mask_lidar=torch.from_numpy(truth.mask_lidar),
            mask_camera=torch.from_numpy(truth.mask_camera),
        ).to_dict(),
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    mount = np.eye(4)
    mount[:3, 3] = LIDAR_ORIGIN[0]
    records = [
        {
            "token": f"token{seed}",
            "scene_token": f"scene{seed}",
            "timestamp": 0.0,
            "ego2global": np.eye(4).tolist(),
            "lidar_points": {"lidar2ego": mount.tolist()},
        }
        for seed in range(2)
    ]
    write_index(tmp_path / "val.pkl", {"dataset": "nuscenes"}, records)
    return tmp_path


def test_a_loop_gives_the_functions_figures(root: Path) -> None:
    metric = OccupancyMetric(str(root), "val.pkl", fscore=True, training_mask="camera", output_dir=str(root / "out"))
    metric.process(None, [sample(0)])
    metric.process(None, [sample(1), sample(0)])  # a sampler repeats the first one
    found = {name.removeprefix("occupancy/"): value for name, value in metric.evaluate(2).items()}
    predicted, truth = [prediction(0), prediction(1)], [labels(0), labels(1)]
    semantics = [one.semantics for one in truth]
    camera = occupancy_miou(predicted, semantics, [one.mask_camera for one in truth])
    assert found["mIoU_camera"] == pytest.approx(camera["mIoU"])
    assert found["IoU_camera/car"] == pytest.approx(camera["car"])
    assert found["mIoU_lidar"] == pytest.approx(
        occupancy_miou(predicted, semantics, [one.mask_lidar for one in truth])["mIoU"]
    )
    assert found["mIoU"] == pytest.approx(occupancy_miou(predicted, semantics)["mIoU"])
    rays = ray_iou(predicted, semantics, [LIDAR_ORIGIN] * 2)
    assert found["RayIoU"] == pytest.approx(rays["RayIoU"])
    assert found["RayIoU@2"] == pytest.approx(rays["RayIoU@2"])
    assert 0 < found["RayIoU"] < 1
    expected = np.mean([occupancy_fscore(p, t.semantics, t.mask_camera) for p, t in zip(predicted, truth, strict=True)])
    assert found["fscore_camera"] == pytest.approx(expected)
    assert np.array_equal(read_prediction(root / "out", "token1"), prediction(1))


def test_samples_of_another_index_are_refused(root: Path) -> None:
    metric = OccupancyMetric(str(root), "val.pkl")
    with pytest.raises(ValueError, match=r"val\.pkl: no sample other"):
        metric.process(None, [{**sample(0), "sample_token": "other"}])


def test_predictions_alone_are_written(root: Path) -> None:
    metric = OccupancyMetric(format_only=True, output_dir=str(root / "out"))
    only = {name: value for name, value in sample(0).items() if name != "gt_occupancy"}
    metric.process(None, [only])
    assert metric.evaluate(1) == {}
    assert [path.name for path in (root / "out").iterdir()] == ["token0.npz"]
    with pytest.raises(ValueError, match="needs output_dir"):
        OccupancyMetric(format_only=True)
    with pytest.raises(ValueError, match="needs ann_file"):
        OccupancyMetric()


def test_counts_add_up_and_tell_what_was_not_counted() -> None:
    first, second = (count_sample(prediction(seed), labels(seed)) for seed in range(2))
    total = first + second + OccupancyCounts()
    assert total.samples == 2
    assert np.array_equal(total.confusion, first.confusion + second.confusion)
    assert "RayIoU" not in total.summary()
    assert "RayIoU" not in total.table()
    both = total + count_sample(prediction(0), labels(0), np.array(LIDAR_ORIGIN))
    assert both.summary()["RayIoU"] == pytest.approx(
        count_sample(prediction(0), labels(0), np.array(LIDAR_ORIGIN)).summary()["RayIoU"]
    )
    assert "car" in both.table()


def test_most_frequent_labels_by_hand() -> None:
    voxels = np.full((3, *GRID.shape), FREE, dtype=np.uint8)
    voxels[:2, 0, 0, 0], voxels[2, 0, 0, 0] = CAR, ROAD
    voxels[:, 1, 0, 0] = [ROAD, UNKNOWN, UNKNOWN]
    seen = np.zeros((3, *GRID.shape), dtype=bool)
    seen[2, 0, 0, 0] = True
    samples = [OccupancyLabels(v, s, s) for v, s in zip(voxels, seen, strict=True)]
    anywhere = most_frequent_labels(samples)
    assert anywhere[0, 0, 0] == CAR
    assert anywhere[1, 0, 0] == ROAD
    assert (anywhere == FREE).sum() == anywhere.size - 2
    visible = most_frequent_labels(samples, camera_only=True)
    assert visible[0, 0, 0] == ROAD
    assert (visible == FREE).sum() == visible.size - 1
