from __future__ import annotations

import json
from pathlib import Path

import pytest
from tool_runs import load_tool

from bev.datasets.text_files import TextFileError


@pytest.fixture(scope="module")
def demo():
    return load_tool("quickstart")


def write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_metrics_are_joined(demo, tmp_path):
    numbers = {"NDS": 0.2, "mAP": 0.15, "mATE": 0.8, "mASE": 0.4, "mAOE": 1.0, "mAVE": 1.1, "mAAE": 0.3}
    classes = {"car_AP": 0.3, "car_ATE": 0.6, "traffic_cone_AP": 0.4}
    write(tmp_path / "test" / "test_metrics.json", {f"nuscenes/{k}": v for k, v in {**numbers, **classes}.items()})
    write(tmp_path / "untrained" / "test_metrics.json", {"nuscenes/mAP": 0.001})
    write(tmp_path / "train" / "train_time.json", {"train_seconds": 550.0})
    metrics = demo.collect_metrics(tmp_path)
    assert numbers.items() <= metrics.items()
    assert metrics["per_class"]["car"] == {"AP": 0.3, "ATE": 0.6}
    assert metrics["per_class"]["traffic_cone"] == {"AP": 0.4}
    assert len(metrics["per_class"]) == 10
    assert (metrics["train_seconds"], metrics["baseline_mAP"]) == (550.0, 0.001)


def test_a_finished_step_is_not_run_again(demo, tmp_path, capsys):
    done = tmp_path / "done"
    done.touch()
    assert demo.run_step(1, 1, demo.Step("nothing", ["no_such_tool.py"], done)) == 0.0
    assert "done before" in capsys.readouterr().out


def test_a_failed_step_stops_the_demo(demo, tmp_path):
    with pytest.raises(SystemExit, match=r"step 1 \(broken\) failed"):
        demo.run_step(1, 1, demo.Step("broken", ["no_such_tool.py"], tmp_path / "never"))


def test_damaged_metrics_are_named(demo, tmp_path):
    (tmp_path / "test").mkdir()
    for content in ("", "[1]"):
        (tmp_path / "test" / "test_metrics.json").write_text(content)
        with pytest.raises(TextFileError, match=r"test_metrics\.json.*delete it and run again"):
            demo.collect_metrics(tmp_path)
