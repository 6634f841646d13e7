from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[3] / "tools" / "create_synthetic.py"


def run(root: Path, *options: str, layout: str = "nuscenes") -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOL), layout, "--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=TOOL.parents[1], check=False)


def test_makes_a_data_set(tmp_path: Path) -> None:
    result = run(tmp_path, "--scenes", "1", "--val-scenes", "0", "--frames", "1", "--size", "64x36", "--workers", "1")
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / "v1.0-trainval" / "sample_data.json").read_text())
    assert {(row["width"], row["height"]) for row in rows if row["fileformat"] == "jpg"} == {(64, 36)}
    assert all((tmp_path / row["filename"]).stat().st_size > 500 for row in rows)


def test_makes_waymo_segments(tmp_path: Path) -> None:
    options = ("--scenes", "1", "--val-scenes", "0", "--frames", "1", "--width", "64", "--workers", "1")
    result = run(tmp_path, *options, layout="waymo")
    assert result.returncode == 0, result.stderr
    (segment,) = (tmp_path / "training").iterdir()
    assert segment.name == "segment-synthetic-training-0001_with_camera_labels.tfrecord"
    again = run(tmp_path, *options, layout="waymo")
    assert "1/1 [00:00<?" in again.stderr  # nothing left to do


def test_says_what_is_wrong(tmp_path: Path) -> None:
    result = run(tmp_path, "--scenes", "0", "--val-scenes", "0")
    assert result.returncode == 1
    assert "error: there must be at least one scene" in result.stderr
    assert "Traceback" not in result.stderr
    assert "expected WIDTHxHEIGHT" in run(tmp_path, "--size", "large").stderr
