"""The metric of a training run, beside what the official tool's files give."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_waymo import START, write_release

import bev  # noqa: F401  (lets mmdet3d import)

# isort: split
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bev.datasets.waymo.classes import CLASSES
from bev.datasets.waymo.ground_truth import ground_truth_objects
from bev.datasets.waymo.index_build import build_indexes, read_segments
from bev.datasets.waymo.objects import ObjectsFileError, read_objects
from bev.evaluation.waymo_metric import PredictionsError, WaymoMetric

TOOL = Path(__file__).parents[2] / "tools" / "evaluate.py"
INDEX = "waymo_infos_validation.pkl"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_release(tmp_path / "waymo", {"validation": ("c", "d")}, frames=3)
    build_indexes(root)
    return root


def predict(root: Path, boxes: str = "synced_boxes", classes=CLASSES, rows=slice(0, 3), every: int = 1) -> list[dict]:
    """Samples that predict the labels themselves."""
    samples = []
    for segment in read_segments(root / INDEX):
        for t in range(0, len(segment), every):
            own = np.arange(segment.first_object[t], segment.first_object[t + 1])[rows]
            found = torch.from_numpy(getattr(segment, boxes)[own])
            names = [("", "vehicle", "pedestrian", "sign", "cyclist")[kind] for kind in segment.types[own]]
            instances = InstanceData(
                bboxes_3d=LiDARInstance3DBoxes(found, box_dim=7, origin=(0.5, 0.5, 0.5)),
                scores_3d=torch.full((len(own),), 0.9),
                labels_3d=torch.tensor([classes.index(name) for name in names], dtype=torch.long),
            )
            token = f"{segment.name}_{segment.timestamps[t]}"
            samples.append({"sample_token": token, "dataset": "waymo", "pred_instances_3d": instances})
    return samples


def evaluate(metric: WaymoMetric, samples: list[dict], classes=CLASSES) -> dict[str, float]:
    metric.dataset_meta = {"classes": classes}
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_perfect_predictions(root: Path) -> None:
    numbers = evaluate(WaymoMetric(INDEX, str(root)), predict(root))
    assert len(numbers) == 12
    assert numbers == pytest.approx(dict.fromkeys(numbers, 1.0), abs=1e-6)
    assert {"waymo/LET-3D-APL", "waymo/LET-3D-APH", "waymo/cyclist_LET-3D-AP"} <= set(numbers)


def test_lidar_boxes_are_not_what_the_cameras_saw(root: Path) -> None:
    """The car moves 0.4 m until the camera sees it, along the line of sight: found, but not precisely."""
    numbers = evaluate(WaymoMetric(INDEX, str(root)), predict(root, "boxes"))
    assert numbers["waymo/vehicle_LET-3D-AP"] == pytest.approx(1.0)
    assert 0.5 < numbers["waymo/vehicle_LET-3D-APL"] < 0.95
    plain = evaluate(WaymoMetric(INDEX, str(root), metric="3d"), predict(root, "boxes", rows=[0, 1, 2, 4]))
    assert plain["waymo/3D-AP_L1"] == pytest.approx(1.0)
    assert plain["waymo/vehicle_3D-APH_L2"] == pytest.approx(1.0)


def test_the_files_give_the_same_numbers(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    samples = predict(root, "boxes")
    samples[0]["pred_instances_3d"] = samples[0]["pred_instances_3d"][:1]
    numbers = evaluate(WaymoMetric(INDEX, str(root), output_dir=str(out)), samples)
    files = ["--predictions", str(out / "predictions.bin"), "--ground-truth", str(out / "ground_truths.bin")]
    runpy.run_path(str(TOOL))["main"](["waymo", *files, "--out", str(out / "again.json")])
    again = json.loads((out / "again.json").read_text())
    assert again == json.loads((out / "waymo_metrics.json").read_text())
    assert numbers["waymo/LET-3D-APL"] == pytest.approx(again["ALL_NS_LEVEL_2"]["APL"])
    assert numbers["waymo/LET-3D-APL"] < 0.95


def test_ground_truths_are_the_labels(root: Path) -> None:
    objects = ground_truth_objects(read_segments(root / INDEX)).objects
    assert len(objects) == 30
    car, behind = objects[0], objects[4]
    assert (car.context_name, car.frame_timestamp_micros) == ("c", START)
    assert (car.object.id, car.object.most_visible_camera_name) == ("object-0", "FRONT")
    assert car.object.camera_synced_box.center_x == pytest.approx(20.4)
    assert car.object.box.center_x == pytest.approx(20.0)
    assert (behind.object.most_visible_camera_name, behind.object.HasField("camera_synced_box")) == ("", False)


def test_classes_of_another_data_set(root: Path) -> None:
    classes = ("car", "barrier", "pedestrian", "cyclist")
    samples = predict(root, classes=("vehicle", "barrier", "pedestrian", "cyclist"))
    mapping = {"car": "vehicle", "pedestrian": "pedestrian", "cyclist": "cyclist"}
    numbers = evaluate(WaymoMetric(INDEX, str(root), classes=mapping), samples, classes)
    assert numbers["waymo/LET-3D-APL"] == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ValueError, match="no class truck"):
        WaymoMetric(INDEX, classes={"car": "truck"})


def test_intervals_and_missing_frames(root: Path) -> None:
    samples = predict(root, every=2)
    assert evaluate(WaymoMetric(INDEX, str(root), interval=2), samples)["waymo/LET-3D-AP"] == pytest.approx(1.0)
    assert evaluate(WaymoMetric(INDEX, str(root), only_predicted=True), samples)["waymo/LET-3D-AP"] == 1.0
    with pytest.raises(PredictionsError, match=r"2 of 6 frames have no prediction.*c_.* was not predicted"):
        evaluate(WaymoMetric(INDEX, str(root)), samples)
    with pytest.raises(PredictionsError, match="is not of the index"):
        evaluate(WaymoMetric(INDEX, str(root), interval=2), [*samples, {**samples[0], "sample_token": "x_1"}])


def test_samples_of_other_data_sets_and_repeated_ones(root: Path) -> None:
    samples = predict(root)
    wrong = {**samples[0], "pred_instances_3d": samples[0]["pred_instances_3d"][:0]}
    mixed = [*samples, wrong, {**wrong, "dataset": "nuscenes", "sample_token": "0123"}]
    assert evaluate(WaymoMetric(INDEX, str(root)), mixed)["waymo/LET-3D-AP"] == pytest.approx(1.0)


def test_predictions_alone(root: Path, tmp_path: Path) -> None:
    metric = WaymoMetric("absent.pkl", output_dir=str(tmp_path), format_only=True)
    assert evaluate(metric, predict(root)) == {}
    assert len(read_objects(tmp_path / "predictions.bin").objects) == 18
    with pytest.raises(ValueError, match="needs output_dir"):
        WaymoMetric(INDEX, format_only=True)
    with pytest.raises(ValueError, match="metric must be"):
        WaymoMetric(INDEX, metric="nds")


def test_no_predictions_at_all(root: Path) -> None:
    numbers = evaluate(WaymoMetric(INDEX, str(root)), predict(root, rows=slice(0, 0)))
    assert numbers == dict.fromkeys(numbers, 0.0)


def test_labels_without_cameras(tmp_path: Path) -> None:
    def forget(frame) -> None:
        for label in frame.laser_labels:
            label.ClearField("most_visible_camera_name")

    root = write_release(tmp_path, {"validation": ("c",)}, frames=1, edit=forget)
    build_indexes(root)
    with pytest.raises(ObjectsFileError, match=r"infos_validation\.pkl: .* releases before 1\.3\.2 lack"):
        evaluate(WaymoMetric(INDEX, str(root)), predict(root))


def test_an_index_without_labels(tmp_path: Path) -> None:
    root = write_release(tmp_path / "bare", {"validation": ("c",)}, edit=lambda frame: frame.ClearField("laser_labels"))
    build_indexes(root)
    with pytest.raises(PredictionsError, match="no object to evaluate against; set format_only=True"):
        evaluate(WaymoMetric(INDEX, str(root)), predict(root))
