"""The benchmark on small shapes: what it writes, not how fast it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from bev_ops.benchmarks import cases, measure, run

FIELDS = {"op", "shape", "dtype", "device", "pass", "milliseconds", "reference_milliseconds", "ratio", "peak_bytes"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "DCNV3_SHAPES", {"small": (1, 4, 5, 2, 4)})
    monkeypatch.setattr(cases, "MSDA_SHAPES", {"small": (1, 3, 2, 4, [(3, 4)], 2)})
    monkeypatch.setattr(cases, "BCA_SHAPES", {"small": (2, 6, 2, 4, [(3, 4), (2, 2)], 4, 2)})
    monkeypatch.setattr(run, "machine", lambda device: measure.Machine(1.0, 1.0))


def test_writes_one_record_per_measurement(small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run.main(["--rounds", "1", "--json", str(tmp_path / "records.json"), "--threads", str(torch.get_num_threads())])
    records = json.loads((tmp_path / "records.json").read_text())
    assert {(record["op"], record["pass"]) for record in records} == {
        (op, direction) for op in cases.CASES for direction in ("forward", "forward+backward")
    }
    for record in records:
        assert record.keys() >= FIELDS
        assert record["ratio"] == pytest.approx(record["reference_milliseconds"] / record["milliseconds"])
        assert record["peak_bytes"] > 0
    assert "ratios, lowest and median" in capsys.readouterr().out


def test_unknown_shape(small: None):
    with pytest.raises(SystemExit, match="no shape contains 'large'"):
        run.main(["--shape", "large", "--rounds", "1"])


def test_peak_memory_counts_what_is_held_at_once():
    def call() -> None:
        for _ in range(3):
            torch.zeros(1 << 18)

    assert measure.peak_bytes(call, "cpu") == 4 << 18


def test_ring_of_cameras_sees_all_around():
    points, visible = cases.ring_of_cameras(6, 20, 4)
    assert points.shape == (6, 400, 4, 2)
    assert visible.any(0).float().mean() > 0.95
    assert 1 < visible.sum(0).float().mean() < 1.5
