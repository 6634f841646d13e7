from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_openlane import write_openlane

from bev.datasets.index_io import read_index
from bev.datasets.openlane_v2.devkit_format import annotation_of
from bev.datasets.openlane_v2.index_build import build_indexes
from bev.datasets.openlane_v2.submission import build_submission, read_submission, validate_submission
from bev.evaluation.openlane_metric import OpenLaneMetric
from bev.evaluation.openlane_ols import evaluate
from bev.geometry import rotation_z

INDEX = "openlane_v2_A_infos_train.pkl"
METADATA = {
    "method": "m",
    "authors": ["a"],
    "e-mail": "a@b.c",
    "institution / company": "i",
    "country / region": "CN",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_openlane(tmp_path_factory.mktemp("openlane"), images=True)
    build_indexes(root, "A")
    return root


def samples_of(root: Path, noise: float = 0.0) -> list[dict]:
    """The truth as the head would predict it, lanes moved by normal noise in metres."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for record in read_index(root / INDEX)["data_list"]:
        topology = record["lane_topology"]
        lanes = torch.from_numpy(topology["lanes"][:, ::2].copy())
        samples.append(
            {
                "sample_token": record["token"],
                "global_T_bev": record["ego2global"],
                "pred_lanes": {
                    "lanes": lanes + noise * torch.randn(lanes.shape, generator=generator),
                    "lane_scores": torch.linspace(0.9, 0.6, len(lanes)),
                    "traffic_boxes": torch.from_numpy(topology["traffic_boxes"]),
                    "traffic_attributes": torch.from_numpy(topology["traffic_attributes"]),
                    "traffic_scores": torch.full((len(topology["traffic_boxes"]),), 0.8),
                    "topology_lclc": torch.from_numpy(topology["topology_lclc"]).float(),
                    "topology_lcte": torch.from_numpy(topology["topology_lcte"]).float(),
                },
            }
        )
    return samples


def run(metric: OpenLaneMetric, samples: list[dict]) -> dict:
    for sample in samples:
        metric.process(None, [sample])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_truth_as_prediction_is_perfect(root: Path, version: str) -> None:
    samples = samples_of(root)
    for sample in samples:
        sample["pred_lanes"]["lane_scores"] = torch.ones(3)  # v1.0 asks for edges of the most certain lanes first
    scores = run(OpenLaneMetric(INDEX, str(root), version=version), samples)
    assert scores["openlane/OLS"] == pytest.approx(1.0, abs=1e-6)


def test_frame_by_frame_is_the_same_as_all_at_once(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "lanes.pkl"
    scores = run(OpenLaneMetric(INDEX, str(root), output_dir=str(tmp_path)), samples_of(root, 0.7))
    truth = {r["token"]: annotation_of(r["lane_topology"]) for r in read_index(root / INDEX)["data_list"]}
    expected = evaluate(truth, read_submission(output))
    assert 0.1 < expected["OLS"] < 0.95
    assert {name.removeprefix("openlane/"): value for name, value in scores.items()} == pytest.approx(expected)


def test_predictions_are_fit_to_be_submitted(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "lanes.pkl"
    metric = OpenLaneMetric(INDEX, str(root), output_dir=str(tmp_path), format_only=True)
    assert run(metric, samples_of(root)) == {}
    assert validate_submission(build_submission(METADATA, read_submission(output))) == 5


def test_lanes_in_another_vehicle_frame_are_moved_to_that_of_the_annotation(root: Path) -> None:
    samples = samples_of(root)
    frame_T_bev = rotation_z(0.3)
    frame_T_bev[:3, 3] = 4, -2, 0.1
    bev_T_frame = torch.from_numpy(np.linalg.inv(frame_T_bev)).float()
    for sample in samples:
        sample["gt_lanes"] = {"token": sample["sample_token"]}
        sample["sample_token"] = "a nuScenes sample"
        sample["global_T_bev"] = sample["global_T_bev"] @ frame_T_bev
        lanes = sample["pred_lanes"]["lanes"]
        sample["pred_lanes"]["lanes"] = lanes @ bev_T_frame[:3, :3].T + bev_T_frame[:3, 3]
    scores = run(OpenLaneMetric(INDEX, str(root)), samples)
    assert scores["openlane/DET_l"] == pytest.approx(1.0, abs=1e-6)


def test_repeated_samples_count_once(root: Path) -> None:
    samples = samples_of(root, 0.7)
    expected = run(OpenLaneMetric(INDEX, str(root)), samples)
    assert run(OpenLaneMetric(INDEX, str(root)), [*samples, *samples[:2]]) == pytest.approx(expected)


def test_what_cannot_be_judged_is_named(root: Path) -> None:
    metric = OpenLaneMetric(INDEX, str(root))
    with pytest.raises(ValueError, match=f"{INDEX}: no frame other; the metric needs the index"):
        metric.process(None, [{**samples_of(root)[0], "sample_token": "other"}])
    with pytest.raises(ValueError, match="needs output_dir"):
        OpenLaneMetric(INDEX, str(root), format_only=True)
    with pytest.raises(ValueError, match=r"v2\.0"):
        OpenLaneMetric(INDEX, str(root), version="v2.0")
