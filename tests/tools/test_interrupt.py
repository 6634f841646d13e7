"""Ctrl-C in the middle: status 130, one line, nothing half-written, and a second run that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_nuscenes import write_tables
from tool_runs import TOOLS, finish_tool, hear_interrupts
from tool_world import clone, files_below

ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(TOOLS.parent), os.environ.get("PYTHONPATH", "")]),
}


def interrupt(place: Path, words: list[str], progress: str) -> subprocess.CompletedProcess[str]:
    """Starts a tool, waits for a file that shows progress and sends what a terminal sends to all its processes."""
    command = [sys.executable, str(TOOLS / f"{words[0]}.py"), *words[1:]]
    process = subprocess.Popen(
        command, cwd=place, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=hear_interrupts,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not any(place.glob(progress)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def check(stopped: subprocess.CompletedProcess[str], place: Path) -> None:
    assert stopped.returncode == 130, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert stopped.stderr.strip().splitlines()[-1] == "interrupted"
    assert not [name for name in files_below(place) if name.endswith(".tmp") or ".part" in name]


def test_an_index_in_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = tuple(f"scene-{number:04d}" for number in range(1, 12))
    write_tables(tmp_path / "nus", "v1.0-trainval", names, samples=40)
    words = ["create_data", "nuscenes", "--root", "nus", "--version", "v1.0-trainval", "--workers", "2", "--out", "out"]
    check(interrupt(tmp_path, words, "out/.*/*.pkl"), tmp_path)
    done = list(tmp_path.glob("out/.*/*.pkl"))
    assert 0 < len(done) < len(names), "the run was over before it could be stopped"
    finished = finish_tool(*words)
    assert finished.status == 0
    left = len(names) - len(done)
    assert f"{left}/{left}" in finished.err, "finished scenes are not read again"


def test_a_training(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = clone(world, tmp_path / "place")
    monkeypatch.chdir(place)
    words = ["train", "config.py", "--work-dir", "out", "--resume", "--cfg-options"]
    stopped = interrupt(place, [*words, "train_cfg.max_epochs=1000"], "out/last_checkpoint")
    check(stopped, place)
    epoch = int(max(path.stem.rpartition("_")[2].zfill(4) for path in place.glob("out/epoch_*.pth")))
    finished = finish_tool(*words, f"train_cfg.max_epochs={epoch + 1}")
    assert finished.status == 0, finished.err
    assert (place / "out" / f"epoch_{epoch + 1}.pth").exists()
    assert (place / "out" / "final.pth").exists()
