from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from mmengine.structures import InstanceData
from nuscenes.eval.detection.evaluate import DetectionEval
from tiny_nuscenes import true_objects, write_tables

from bev.datasets.nuscenes.classes import CLASSES
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.nuscenes.index_tables import open_tables
from bev.datasets.nuscenes.submission import validate_submission
from bev.datasets.submission_errors import SubmissionError
from bev.evaluation.nuscenes_devkit import detection_config, flatten, summarise
from bev.evaluation.nuscenes_nds import NuScenesNDS, evaluate_results

PRESENT = {"bicycle", "bus", "car", "motorcycle", "pedestrian", "traffic_cone", "truck"}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    root = write_tables(tmp_path / "data")
    build_indexes(root, "v1.0-mini")
    return root


def _data_samples(index_path: Path, only_visible: bool = True) -> list[Det3DDataSample]:
    """Ground truth dressed as predictions."""
    samples = []
    for entry, boxes, labels, attributes in true_objects(index_path, only_visible):
        sample = Det3DDataSample(
            metainfo={
                "sample_token": entry["token"],
                "global_T_bev": entry["ego2global"] @ entry["lidar_points"]["lidar2ego"],
            }
        )
        sample.pred_instances_3d = InstanceData(
            bboxes_3d=boxes,
            scores_3d=torch.ones(len(labels)),
            labels_3d=torch.from_numpy(labels),
            attributes=attributes,
        )
        samples.append(sample)
    return samples


def _evaluate(metric: NuScenesNDS, samples: list[Det3DDataSample]) -> dict[str, float]:
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {"classes": CLASSES}
    for sample in samples:
        evaluator.process(data_samples=[sample], data_batch={})
    return evaluator.evaluate(size=len(samples))


def test_real_ground_truth_survives_every_conversion(shared_data: Path, tmp_path: Path):
    """Tables -> index -> boxes -> predictions -> submission -> official evaluation, on 81 real samples."""
    root = shared_data / "nuscenes-mini-val"
    (summary,) = build_indexes(root, "v1.0-mini", out=tmp_path)
    samples = _data_samples(summary.path)
    metric = NuScenesNDS(str(root), "v1.0-mini", "mini_val", output_dir=str(tmp_path))
    values = _evaluate(metric, samples)
    assert values["nuscenes/mAP"] == pytest.approx(0.70, abs=1e-3)
    for name in CLASSES:
        assert values[f"nuscenes/{name}_AP"] >= 0.99 if name in PRESENT else values[f"nuscenes/{name}_AP"] == 0
    for name in PRESENT:
        for error in ("ATE", "ASE", "AOE", "AVE", "AAE"):
            # Cones have neither heading, velocity nor attribute.
            assert values.get(f"nuscenes/{name}_{error}", 0.0) <= 0.01, (name, error)
    missing = {key for key in ("AOE", "AVE", "AAE") if f"nuscenes/traffic_cone_{key}" not in values}
    assert missing == {"AOE", "AVE", "AAE"}
    assert values == _devkit_values(root, tmp_path)


def _devkit_values(root: Path, folder: Path) -> dict[str, float]:
    """What the devkit's own evaluation of its own split says, without our way into it."""
    nusc, path = open_tables(root, "v1.0-mini"), str(folder / "results_nusc.json")
    official = DetectionEval(nusc, detection_config(), path, "mini_val", str(folder), verbose=False)
    return {f"nuscenes/{name}": value for name, value in flatten(summarise(official.evaluate()[0])).items()}


def test_ground_truth_of_a_tiny_world_from_its_index(tiny: Path):
    index = tiny / "nuscenes_infos_mini_val.pkl"
    values = _evaluate(NuScenesNDS(str(tiny), ann_file=str(index)), _data_samples(index))
    assert values["nuscenes/mAP"] == pytest.approx(0.3)
    assert values["nuscenes/car_AP"] == pytest.approx(1.0)
    assert values["nuscenes/car_AVE"] == pytest.approx(0.0, abs=1e-5)
    assert set(values) >= {f"nuscenes/{key}" for key in ("NDS", "mATE", "mASE", "mAOE", "mAVE", "mAAE")}


def test_a_model_with_other_classes(tiny: Path):
    """Its means are over the classes that it has; all classes under their own names give the official numbers."""
    index = tiny / "nuscenes_infos_mini_val.pkl"
    samples = _data_samples(index)
    official = _evaluate(NuScenesNDS(str(tiny), ann_file=str(index)), samples)
    same = NuScenesNDS(str(tiny), ann_file=str(index), classes={name: name for name in CLASSES})
    assert _evaluate(same, samples) == pytest.approx(official)
    own = ("vehicle", "rock", "pedestrian")
    for sample in samples:
        found = sample.pred_instances_3d
        names = [CLASSES[label] for label in found.labels_3d]
        found.labels_3d = torch.tensor([{"car": 0, "pedestrian": 2}.get(name, 1) for name in names])
    metric = NuScenesNDS(str(tiny), ann_file=str(index), classes={"vehicle": "car", "pedestrian": "pedestrian"})
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {"classes": own}
    evaluator.process(data_samples=[*samples, Det3DDataSample(metainfo={"dataset": "waymo"})], data_batch={})
    values = evaluator.evaluate(size=len(samples))
    assert values["nuscenes/mAP"] == pytest.approx(1.0)
    assert values["nuscenes/mATE"] == pytest.approx(0.0, abs=1e-5)
    assert {name.split("/")[1].split("_")[0] for name in values if "_" in name} == {"car", "pedestrian"}
    with pytest.raises(ValueError, match="no class van"):
        NuScenesNDS(str(tiny), ann_file=str(index), classes={"vehicle": "van"})


def test_the_range_cap_drops_what_is_farther(tiny: Path):
    index = tiny / "nuscenes_infos_mini_val.pkl"
    samples = _data_samples(index)
    # The pedestrian stays within 10 m of the ego; the car is about 20 m away.
    values = _evaluate(NuScenesNDS(str(tiny), ann_file=str(index), class_range_cap=10.0), samples)
    assert values["nuscenes/pedestrian_AP"] == pytest.approx(1.0)
    assert values["nuscenes/car_AP"] == 0
    assert detection_config(32).class_range["car"] == 32
    assert detection_config(32).class_range["barrier"] == 30
    assert detection_config().class_range["car"] == 50


def test_custom_splits_beside_the_tables_and_elsewhere(tiny: Path, tmp_path: Path):
    samples = _data_samples(tiny / "nuscenes_infos_mini_val.pkl")[:3]
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"first": ["scene-0103"]}), encoding="utf-8")
    elsewhere = _evaluate(NuScenesNDS(str(tiny), "v1.0-mini", "first", splits_file=str(splits)), samples)
    splits.rename(tiny / "v1.0-mini" / "splits.json")
    beside = _evaluate(NuScenesNDS(str(tiny), "v1.0-mini", "first"), samples)
    assert elsewhere == beside
    assert beside["nuscenes/car_AP"] == pytest.approx(1.0)


def test_nothing_predicted_is_zero_and_no_error(tiny: Path):
    samples = _data_samples(tiny / "nuscenes_infos_mini_val.pkl")
    for sample in samples:
        sample.pred_instances_3d = sample.pred_instances_3d[torch.zeros(0, dtype=torch.long)]
    values = _evaluate(NuScenesNDS(str(tiny), "v1.0-mini", "mini_val"), samples)
    assert values["nuscenes/mAP"] == 0
    assert values["nuscenes/NDS"] == 0


def test_missing_samples_are_an_error_unless_asked_for(tiny: Path):
    samples = _data_samples(tiny / "nuscenes_infos_mini_val.pkl")[:2]
    with pytest.raises(SubmissionError, match="4 of 6 samples of the split are missing"):
        _evaluate(NuScenesNDS(str(tiny), "v1.0-mini", "mini_val"), samples)
    metric = NuScenesNDS(str(tiny), "v1.0-mini", "mini_val", only_predicted=True)
    assert _evaluate(metric, samples)["nuscenes/car_AP"] == pytest.approx(1.0)


def test_format_only_serves_releases_without_annotations(tmp_path: Path):
    root = write_tables(tmp_path / "data", version="v1.0-test", scenes=("scene-0077",), annotated=False)
    (summary,) = build_indexes(root, "v1.0-test")
    samples = _data_samples(summary.path)
    options = {"data_root": str(root), "version": "v1.0-test", "split": "test", "output_dir": str(tmp_path / "out")}
    assert _evaluate(NuScenesNDS(**options, format_only=True), samples) == {}
    submission = json.loads((tmp_path / "out" / "results_nusc.json").read_text(encoding="utf-8"))
    assert validate_submission(submission, [sample.sample_token for sample in samples]) == 0
    with pytest.raises(ValueError, match="has no annotations"):
        _evaluate(NuScenesNDS(**options), samples)


def test_a_prediction_that_is_not_finite_is_reported(tiny: Path):
    samples = _data_samples(tiny / "nuscenes_infos_mini_val.pkl")
    samples[0].pred_instances_3d.bboxes_3d.tensor[0, 0] = math.nan
    with pytest.raises(SubmissionError, match="sample scene-0103-0, box 0: translation must be 3 finite numbers"):
        _evaluate(NuScenesNDS(str(tiny), "v1.0-mini", "mini_val"), samples)


def test_summary_has_every_class_and_distance(tiny: Path, tmp_path: Path):
    index = tiny / "nuscenes_infos_mini_val.pkl"
    _evaluate(NuScenesNDS(str(tiny), ann_file=str(index), output_dir=str(tmp_path)), _data_samples(index))
    nusc = open_tables(tiny, "v1.0-mini")
    summary = evaluate_results(tmp_path / "results_nusc.json", nusc, samples=[s["token"] for s in nusc.sample])
    assert set(summary["per_class"]) == set(CLASSES)
    assert set(summary["per_class"]["car"]["AP_dist"]) == {"0.5", "1.0", "2.0", "4.0"}
    mean = np.mean([values["AP"] for values in summary["per_class"].values()])
    assert summary["mAP"] == pytest.approx(mean)
    with pytest.raises(ValueError, match="split or samples"):
        evaluate_results(tmp_path / "results_nusc.json", nusc)


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="ann_file"):
        NuScenesNDS("data", version="v1.0-mini")
    with pytest.raises(ValueError, match="output_dir"):
        NuScenesNDS("data", "v1.0-mini", "mini_val", format_only=True)


def test_registered():
    assert METRICS.get("NuScenesNDS") is NuScenesNDS
