from __future__ import annotations

import json
from pathlib import Path

import pytest

from bev.datasets.nuscenes.can_bus import CanBusError, SceneMotion


def write(root: Path, times: list[int]) -> Path:
    path = root / "can_bus" / "scene-0001_pose.json"
    path.parent.mkdir()
    messages = [
        {
            "utime": t,
            "accel": [t, 0, 0],
            "rotation_rate": [0, t, 0],
            "vel": [0, 0, t],
            "pos": [9, 9, 9],
            "orientation": [],
        }
        for t in times
    ]
    path.write_text(json.dumps(messages))
    return path


def test_the_first_message_after_a_time_counts(tmp_path: Path) -> None:
    write(tmp_path, [10, 20, 30])
    motion = SceneMotion(tmp_path, "scene-0001")
    assert motion.at(15) == [20, 0, 0, 0, 20, 0, 0, 0, 20]
    assert motion.at(20)[0] == 30
    assert motion.at(3)[0] == 10
    assert motion.at(31)[0] == 30


def test_scenes_without_recording_have_none(tmp_path: Path) -> None:
    assert SceneMotion(tmp_path, "scene-0001").at(5) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, [1])
    path.write_text('[{"utime": 1}]')
    with pytest.raises(CanBusError, match=r"scene-0001_pose.json: not a pose file of the CAN bus expansion"):
        SceneMotion(tmp_path, "scene-0001")
    path.write_text("[{")
    with pytest.raises(CanBusError, match=r"scene-0001_pose.json: not valid JSON .*; unpack it again"):
        SceneMotion(tmp_path, "scene-0001")
