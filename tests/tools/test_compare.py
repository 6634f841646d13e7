from __future__ import annotations

import json
from pathlib import Path

import pytest
from tool_runs import load_tool


@pytest.fixture(scope="module")
def compare():
    return load_tool("compare")


def test_finished_runs_are_read_and_tabled(compare, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, values in {"a": (0.1, 0.3), "b": (0.2, 0.2)}.items():
        for seed, value in enumerate(values):
            folder = tmp_path / name / f"seed{seed}"
            (folder / "train").mkdir(parents=True)
            (folder / "train" / "final.pth").touch()
            (folder / "test").mkdir()
            metrics = {f"nuscenes/{metric}": value for metric in ("mAP", "NDS", "mATE")}
            (folder / "test" / "test_metrics.json").write_text(json.dumps(metrics))
    compare.main(["a.py", "b.py", "--seeds", "0", "1", "--work-dir", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| a | 0.200 ± 0.141 | 0.200 ± 0.141 | 0.200 ± 0.141 | 0.100 0.300 |"
    assert lines[3].startswith("| b | 0.200 ± 0.000")


def test_a_failing_run_stops_with_its_name(compare, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no_such_config, seed 0 failed"):
        compare.main([str(tmp_path / "no_such_config.py"), "--seeds", "0", "--work-dir", str(tmp_path)])
