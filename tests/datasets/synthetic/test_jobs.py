from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tool_runs import hear_interrupts

from bev.datasets.synthetic.jobs import read_shard, run_jobs
from bev.datasets.text_files import TextFileError

LONG = """
import time
from bev.datasets.synthetic.jobs import run_jobs
for _ in run_jobs(time.sleep, [0.0, 900.0, 900.0, 900.0, 900.0], 2):
    print("first", flush=True)
"""


def test_results_come_as_they_are_done() -> None:
    assert sorted(run_jobs(abs, [-1, 2, -3], 1)) == [1, 2, 3]


def test_ctrl_c_ends_the_processes_with_what_waits_in_their_queue() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=hear_interrupts,
    )  # fmt: skip
    assert process.stdout.readline() == "first\n"
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert time.monotonic() - begin < 300, "the processes went on with the next jobs"
    assert err.count("Traceback (most recent call last)") == 1, "the parent's own, which no tool caught"
    assert err.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("content", ["", "[1]", '{"recipe": {}}'])
def test_damaged_shards_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "scene.json").write_text(content)
    with pytest.raises(TextFileError, match=r"scene\.json.*make the world again"):
        read_shard(tmp_path / "scene.json")
