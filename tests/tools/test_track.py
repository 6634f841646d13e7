from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bev.datasets.nuscenes.submission import write_submission
from bev.datasets.synthetic import generate

TOOL = Path(__file__).parents[2] / "tools" / "track.py"


def test_detections_become_a_tracking_submission(tmp_path: Path) -> None:
    generate(tmp_path, scenes=1, val_scenes=0, frames=3, seed=5, workers=1, image_size=(64, 36), progress=False)
    tables = tmp_path / "v1.0-trainval"
    samples = json.loads((tables / "sample.json").read_text())
    record = {
        "size": [2, 4, 1.5],
        "rotation": [1, 0, 0, 0],
        "velocity": [2.0, 0.0],
        "attribute_name": "vehicle.moving",
        "detection_score": 0.9,
    }
    results = {}
    for step, sample in enumerate(sorted(samples, key=lambda sample: sample["timestamp"])):
        boxes = [("car", 10.0 + step), ("traffic_cone", 5.0)]  # 2 m/s at two frames a second
        results[sample["token"]] = [
            {**record, "sample_token": sample["token"], "detection_name": name, "translation": [x, 0.0, 1.0]}
            for name, x in boxes
        ]
    write_submission(tmp_path / "results.json", results)
    command = ["nuscenes", "--results", tmp_path / "results.json", "--root", tmp_path, "--version", "v1.0-trainval"]
    command += ["--out", tmp_path / "tracks.json", "--evaluate"]
    result = subprocess.run(
        [sys.executable, str(TOOL), *map(str, command)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "3 samples, 3 boxes, 1 tracks" in result.stdout
    assert "amota" in result.stdout
    tracks = json.loads((tmp_path / "tracks.json").read_text())["results"]
    assert {entry["tracking_name"] for entries in tracks.values() for entry in entries} == {"car"}
