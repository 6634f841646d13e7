from __future__ import annotations

import json
from pathlib import Path

import pytest
from tool_runs import finish_tool, load_tool

from bev.datasets.text_files import TextFileError
from bev.errors import InputError


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


def test_missing_numbers_and_logs_are_named(demo, tmp_path):
    write(tmp_path / "test" / "test_metrics.json", {"nuscenes/NDS": 0.2})
    with pytest.raises(InputError, match=r"test_metrics\.json: no number 'mAP'; delete it and run again"):
        demo.collect_metrics(tmp_path)
    with pytest.raises(InputError, match=r"train: the training left no log"):
        demo._newest_log(tmp_path / "train")


def test_a_step_is_done_when_its_last_file_is_there(demo):
    results = {step.title: step.result.name for step in demo.plan(demo.parse_args([]))}
    assert results["validate and pack the submission"] == "results_nusc.zip"


def test_what_is_done_is_summed_up(tmp_path):
    """All results are there, so that no step runs; the log and the metrics are put where the README says."""
    work, data = tmp_path / "work", tmp_path / "data"
    numbers = dict.fromkeys(("NDS", "mAP", "mATE", "mASE", "mAOE", "mAVE", "mAAE"), 0.25)
    classes = load_tool("quickstart").CLASSES
    metrics = {f"nuscenes/{name}": value for name, value in {**numbers, **{f"{c}_AP": 0.5 for c in classes}}.items()}
    for name in ("test", "untrained"):
        write(work / name / "test_metrics.json", metrics)
    write(work / "train" / "train_time.json", {"train_seconds": 90.0})
    for path in (
        data / "v1.0-trainval" / "sample.json", data / "nuscenes_infos_val.pkl", work / "train" / "final.pth",
        work / "train" / "20260101" / "20260101.log", work / "submission" / "results_nusc.zip", work / "demo.mp4",
    ):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("lines of the log")
    finished = finish_tool("quickstart", "--work-dir", work, "--data-root", data, "--epochs", "3")
    assert finished.status == 0
    assert finished.out.count("done before") == 7
    assert "held-out mAP 0.250 (untrained 0.250)" in finished.out
    assert "trained in 1.5 min" in finished.out
    assert (work / "train.log").read_text() == "lines of the log"
    assert json.loads((work / "metrics.json").read_text())["per_class"]["car"] == {"AP": 0.5}


def test_results_and_worlds_of_other_options_are_refused(demo, tmp_path):
    (tmp_path / "data" / "v1.0-trainval").mkdir(parents=True)
    scenes = [{"nbr_samples": 6}] * 5
    (tmp_path / "data" / "v1.0-trainval" / "scene.json").write_text(json.dumps(scenes))
    (tmp_path / "work").mkdir()
    folders = ["--work-dir", str(tmp_path / "work"), "--data-root", str(tmp_path / "data")]
    small = [*folders, "--scenes", "3", "--val-scenes", "2", "--frames", "6"]
    for _ in range(2):
        demo.check_options(demo.parse_args(small))
    with pytest.raises(InputError, match=r"options\.json: the run has scenes 3, not 86; choose another --work-dir"):
        demo.check_options(demo.parse_args(folders))
    (tmp_path / "work" / "options.json").unlink()
    with pytest.raises(InputError, match=r"data has 5 scenes of 6 frames, not 96 of 10: delete it, or name another"):
        demo.check_options(demo.parse_args(folders))


def test_fewer_epochs_shorten_the_schedule(demo):
    training = next(step for step in demo.plan(demo.parse_args(["--epochs", "3"])) if step.title == "train")
    assert training.command[-3:] == ["--cfg-options", "train_cfg.max_epochs=3", "param_scheduler.1.T_max=3"]
