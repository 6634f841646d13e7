"""Ground truth as tracks is nearly perfect, and what is done to it shows in the numbers."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.loaders import load_gt_of_sample_tokens
from nuscenes.eval.tracking.data_classes import TrackingBox
from nuscenes.nuscenes import NuScenes

from bev.datasets.nuscenes.submission import write_submission
from bev.datasets.synthetic import generate
from bev.evaluation.nuscenes_tracking import CONFIGURATION, evaluate_tracking
from bev.inference.nuscenes_tracks import track_results


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> NuScenes:
    """Two synthetic scenes of six key frames."""
    root = tmp_path_factory.mktemp("world")
    generate(root, scenes=2, val_scenes=0, frames=6, seed=5, workers=1, image_size=(64, 36), progress=False)
    return NuScenes("v1.0-trainval", str(root), verbose=False)


@pytest.fixture(scope="module")
def truth(world: NuScenes) -> dict[str, list[dict]]:
    """Annotated boxes that hold points, as perfect tracks."""
    config_factory(CONFIGURATION)  # tells the devkit's boxes the names of their classes
    tokens = [sample["token"] for sample in world.sample]
    boxes = load_gt_of_sample_tokens(world, tokens, TrackingBox)
    return {token: [_record(box) for box in boxes[token] if box.num_pts > 0] for token in tokens}


def _record(box: TrackingBox) -> dict:
    return {
        "sample_token": box.sample_token,
        "translation": list(box.translation),
        "size": list(box.size),
        "rotation": list(box.rotation),
        "velocity": [float(v) if v == v else 0.0 for v in box.velocity],
        "tracking_id": box.tracking_id,
        "tracking_name": box.tracking_name,
        "tracking_score": 1.0,
    }


def evaluate(world: NuScenes, results: dict[str, list[dict]], folder: Path) -> dict:
    write_submission(folder / "tracks.json", results)
    return evaluate_tracking(folder / "tracks.json", world, list(results))


def test_ground_truth_is_nearly_perfect(world: NuScenes, truth: dict[str, list[dict]], tmp_path: Path) -> None:
    assert sum(map(len, truth.values())) > 50
    found = evaluate(world, truth, tmp_path)
    assert found["amota"] >= 0.99
    assert found["amotp"] < 0.01
    assert found["ids"] == 0


def test_new_identities_in_every_frame_are_switches(
    world: NuScenes, truth: dict[str, list[dict]], tmp_path: Path
) -> None:
    broken = copy.deepcopy(truth)
    for number, records in enumerate(broken.values()):
        for record in records:
            record["tracking_id"] += f"-{number}"
    found = evaluate(world, broken, tmp_path)
    assert found["ids"] > 20
    assert found["amota"] < 0.8


def test_the_tracker_finds_most_identities_of_true_boxes(
    world: NuScenes, truth: dict[str, list[dict]], tmp_path: Path
) -> None:
    detections = {
        token: [
            {**record, "detection_name": record["tracking_name"], "detection_score": 0.9, "attribute_name": ""}
            for record in records
        ]
        for token, records in truth.items()
    }
    tracked = track_results(detections, world)
    assert {len(tracked[token]) for token in truth} == {len(records) for records in truth.values()}
    found = evaluate(world, tracked, tmp_path)
    assert found["amota"] > 0.9
    assert found["ids"] < 0.05 * sum(map(len, truth.values()))
