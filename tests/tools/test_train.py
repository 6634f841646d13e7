"""Training from the command line: one process, killed and resumed, and two processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_training import CONFIG, ENVIRONMENT, ROOT, make_data, options
from tool_runs import run_tool

from bev.engine import runner

EPOCHS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("nuscenes"))


def command(data: Path, work_dir: Path, *extra: str) -> list[str]:
    tool = str(ROOT / "tools" / "train.py")
    return [sys.executable, tool, str(CONFIG), "--work-dir", str(work_dir), *extra, *options(data, EPOCHS)]


def losses(work_dir: Path, name: str = "loss") -> dict[int, float]:
    """Loss, or what else is logged, by iteration, over all the runs that wrote to a work dir; the last word counts."""
    rows = [
        json.loads(line)
        for file in sorted(work_dir.glob("*/vis_data/scalars.json"))
        for line in file.read_text().splitlines()
    ]
    return {row["step"]: row[name] for row in rows if "loss" in row}


def run(arguments: list[str], env: dict[str, str] = ENVIRONMENT) -> subprocess.CompletedProcess:
    result = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """Work dir of a run that nothing interrupted."""
    work_dir = tmp_path_factory.mktemp("whole")
    run(command(data, work_dir))
    return work_dir


def test_a_killed_run_resumes_with_the_same_loss_curve(data, whole, tmp_path):
    process = subprocess.Popen(
        command(data, tmp_path / "killed"), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    marker = tmp_path / "killed" / "last_checkpoint"
    deadline = time.monotonic() + 300
    while not marker.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert marker.exists()
    assert not (tmp_path / "killed" / "final.pth").exists(), "the run was over before it could be killed"
    resumed = run(command(data, tmp_path / "killed", "--resume"))
    assert "resumed epoch" in resumed.stdout + resumed.stderr
    expected = losses(whole)
    assert len(expected) == EPOCHS * 6
    assert losses(tmp_path / "killed") == expected
    assert (tmp_path / "killed" / "final.pth").exists()


def test_evaluation_in_one_process_and_in_two(data, whole, tmp_path):
    checkpoint = str(whole / "final.pth")
    tool = [sys.executable, str(ROOT / "tools" / "test.py"), str(CONFIG), checkpoint]
    run([*tool, "--work-dir", str(tmp_path / "one"), *options(data, 1)])
    script = str(ROOT / "tools" / "dist_test.sh")
    launch = [script, str(CONFIG), checkpoint, "2", "--work-dir", str(tmp_path / "two"), *options(data, 1)]
    run(launch, env={**ENVIRONMENT, "PORT": "29619", "PYTHON": sys.executable})
    one, two = (json.loads((tmp_path / name / "test_metrics.json").read_text()) for name in ("one", "two"))
    assert {"nuscenes/NDS", "nuscenes/mAP", "nuscenes/car_AP"} <= one.keys()
    assert two == pytest.approx(one, abs=1e-6)
    results = json.loads((tmp_path / "one" / "results_nusc.json").read_text())["results"]
    assert len(results) == 6


def test_a_checkpoint_of_another_model_is_refused(data, whole, tmp_path):
    tool = [sys.executable, str(ROOT / "tools" / "test.py"), str(CONFIG), str(whole / "final.pth")]
    changed = [*tool, "--work-dir", str(tmp_path), *options(data, 1), "model.encoder.num_layers=2"]
    result = subprocess.run(changed, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "encoder.layers.1" in result.stderr


def test_resuming_from_another_model_is_refused(data, tmp_path):
    run(command(data, tmp_path))
    changed = [*command(data, tmp_path, "--resume"), "model.encoder.num_layers=2"]
    result = subprocess.run(changed, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr
    assert "encoder.layers.1" in result.stderr


def test_resuming_from_weights_alone_is_refused(data, whole, tmp_path):
    resume = command(data, tmp_path, "--resume", str(whole / "final.pth"))
    result = subprocess.run(resume, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "final.pth has no state of a training to resume; start from its weights with --load-from" in result.stderr


def test_two_processes_keep_equal_parameters(data, tmp_path):
    script = Path(__file__).parent / "distributed_step.py"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29617"]
    run([*launch, str(script), str(CONFIG), str(tmp_path), *options(data, 1)])
    reports = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert reports[0]["parameters"] == reports[1]["parameters"]
    assert reports[0]["samples"] != reports[1]["samples"]
    assert reports[0]["parameters"] != reports[0]["initial"]


def test_dist_train_script_and_one_process_after_it(data, whole, tmp_path):
    environment = {**ENVIRONMENT, "PORT": "29618", "PYTHON": sys.executable}
    script = str(ROOT / "tools" / "dist_train.sh")
    result = subprocess.run(
        [script, str(CONFIG), "2", "--work-dir", str(tmp_path), *options(data, 1)],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "Scaling the original LR by 2.0" in result.stdout + result.stderr
    assert list(losses(tmp_path)) == [1, 2, 3]  # six samples, two processes
    resumed = run(command(data, tmp_path, "--resume"))
    assert "resumed with 1 samples per iteration x 1 per step x 6 iterations per epoch in place of 2" in resumed.stdout
    assert list(losses(tmp_path)) == [1, 2, 3, *range(7, 6 * EPOCHS + 1)]
    alone, both = (losses(work_dir, "lr") for work_dir in (whole, tmp_path))
    assert [both[step] for step in range(7, 6 * EPOCHS + 1)] == pytest.approx(list(alone.values())[6:])


def test_options_reach_the_config(monkeypatch, tmp_path):
    built: list[Config] = []

    class Runner:
        """Notes what it would train."""

        def __init__(self, config: Config, launcher: str) -> None:
            built.append(config)

        def train(self) -> None:
            """Nothing."""

    monkeypatch.setattr(runner, "build_runner", Runner)
    run_tool("train", CONFIG, "--work-dir", tmp_path, "--amp", "float16", "--no-scale-lr", "--seed", "7")
    run_tool("train", CONFIG, "--work-dir", tmp_path, "--strategy", "fsdp", "--amp")
    run_tool("train", CONFIG, "--work-dir", tmp_path, "--strategy", "ddp", "--resume", "some.pth")
    (tmp_path / "last_checkpoint").write_text("epoch_1.pth")
    run_tool("train", CONFIG, "--work-dir", tmp_path, "--resume", "--cfg-options", "load_from=weights.pth")
    run_tool("train", CONFIG, "--work-dir", tmp_path, "--cfg-options", "resume=True")
    run_tool("train", CONFIG, "--work-dir", tmp_path / "new", "--resume", "--cfg-options", "load_from=weights.pth")
    first, second, third, *resumed, fresh = built
    assert (first.optim_wrapper.type, first.optim_wrapper.dtype) == ("AutocastOptimWrapper", "float16")
    assert not first.auto_scale_lr.enable
    assert first.randomness.seed == 7
    assert second.optim_wrapper.dtype == "bfloat16"
    assert second.auto_scale_lr.enable
    assert second.model_wrapper_cfg.type == "FullyShardedModel"
    assert third.model_wrapper_cfg is None
    assert third.optim_wrapper.type == "OptimWrapper"
    assert (third.resume, third.load_from) == (True, "some.pth")
    assert [(config.resume, config.load_from) for config in resumed] == [(True, None)] * 2
    assert (fresh.resume, fresh.load_from) == (False, "weights.pth")
