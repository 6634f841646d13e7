from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from bev.datasets.waymo.objects import objects_from_arrays
from bev.evaluation.waymo_let import ConfigError
from bev.evaluation.waymo_let.benchmark import synthetic_objects

TOOL = Path(__file__).parents[2] / "tools" / "evaluate.py"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Predictions in two files, and ground truths that top LiDAR and a camera see, but for the first 5."""
    predictions, truths = synthetic_objects(frames=4, objects=10, each=2)
    for k in range(2):
        part = {name: array[k::2] for name, array in predictions.items()}
        message = objects_from_arrays(part, ["segment"] * len(part["type"]), part["frame"])
        (tmp_path / f"p{k}.bin").write_bytes(message.SerializeToString())
    truths["score"] = np.ones(len(truths["type"]))
    message = objects_from_arrays(truths, ["segment"] * len(truths["type"]), truths["frame"])
    for row, entry in enumerate(message.objects):
        entry.object.num_lidar_points_in_box = 9
        entry.object.num_top_lidar_points_in_box = 9 * (row >= 5)
        entry.object.most_visible_camera_name = "FRONT"
        entry.object.camera_synced_box.CopyFrom(entry.object.box)
    (tmp_path / "g.bin").write_bytes(message.SerializeToString())
    return {name: str(tmp_path / f"{name}.bin") for name in ("p0", "p1", "g")}


def evaluate(*arguments: str) -> None:
    runpy.run_path(str(TOOL))["main"](["waymo", *arguments])


def test_the_challenge_metrics(files: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "values.json"
    predictions = ("--predictions", files["p0"], files["p1"])
    evaluate(*predictions, "--ground-truth", files["g"], "--workers", "2", "--out", str(out))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "4 frames, 80 predictions, 35 ground truths"
    values = json.loads(out.read_text())
    mean = values["ALL_NS_LEVEL_2"]
    told = [f"LET-3D-{kind} {mean[kind]:.4f}" for kind in ("APL", "AP", "APH")]
    assert " ".join(printed[1].split()) == " ".join(["ALL_NS_LEVEL_2", *told])
    assert 0 < mean["APL"] < mean["AP"] < 1
    assert len(printed) == len(values) + 1 == 38


def test_plain_metrics_and_a_perfect_prediction(files: dict, capsys: pytest.CaptureFixture) -> None:
    evaluate("--predictions", files["g"], "--ground-truth", files["g"], "--metric", "3d", "--levels", "1")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("40 ground truths")
    assert printed[1].split() == ["ALL_NS_LEVEL_1", "AP", "1.0000", "APH", "1.0000"]


def test_a_config_of_ones_own(files: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = tmp_path / "config.txt"
    text = "breakdown_generator_ids: ONE_SHARD difficulties {} matcher_type: TYPE_HUNGARIAN box_type: TYPE_3D "
    config.write_text(text + "iou_thresholds: [0, .5, .3, .3, .3] score_cutoffs: [0, 1]")
    evaluate("--predictions", files["g"], "--ground-truth", files["g"], "--config", str(config))
    assert capsys.readouterr().out.splitlines()[1].startswith("ONE_SHARD_LEVEL_2")
    config.write_text(text)
    with pytest.raises(ConfigError, match="IoU thresholds"):
        evaluate("--predictions", files["g"], "--ground-truth", files["g"], "--config", str(config))
