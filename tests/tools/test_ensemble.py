from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from bev.datasets.nuscenes.submission import box_record, write_submission
from bev.datasets.waymo.objects import objects_from_arrays, read_objects

TOOL = Path(__file__).parents[2] / "tools" / "ensemble.py"
BOX = np.array([10.0, 2.0, 0.8, 4.0, 2.0, 1.6, 0.0, 1.0, 0.0])


def merge(*arguments: str) -> None:
    runpy.run_path(str(TOOL))["main"](list(arguments))


def test_nuscenes_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name, score in (("a", 0.9), ("b", 0.3)):
        write_submission(tmp_path / name, {"t": [box_record(BOX, score, "car", "vehicle.parked", "t")]})
    out = tmp_path / "deep" / "merged.json"
    files = ["--results", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]
    merge("nuscenes", *files, "--weights", "2", "1")
    assert "2 models, 1 samples, 1 boxes" in capsys.readouterr().out
    (record,) = json.loads(out.read_text())["results"]["t"]
    assert record["detection_score"] == pytest.approx(0.7)
    assert record["translation"] == [10.0, 2.0, 0.8]


def test_waymo_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name, shift in (("a", 0.0), ("b", 1.0)):
        boxes = np.stack([BOX[:7]] * 2)
        boxes[:, 0] += shift
        arrays = {"box": boxes, "type": np.array([1, 4]), "score": np.array([0.5, 0.5])}
        (tmp_path / name).write_bytes(objects_from_arrays(arrays, ["s", "s"], [7, 7]).SerializeToString())
    files = ["--results", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "merged.bin")]
    merge("waymo", *files, "--class-iou", "cyclist=0.7", "--iou", "0.5")
    assert "2 models, 1 frames, 3 boxes" in capsys.readouterr().out
    found = [(entry.object.type, entry.object.box.center_x) for entry in read_objects(tmp_path / "merged.bin").objects]
    assert found == [(1, 10.5), (4, 10.0), (4, 11.0)]


def test_a_threshold_without_a_number(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        merge("waymo", "--results", "a", "--out", "b", "--class-iou", "cyclist")
    assert "expected CLASS=IOU" in capsys.readouterr().err
