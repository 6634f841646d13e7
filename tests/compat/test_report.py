from __future__ import annotations

import pytest

from bev.compat import report as module
from bev.compat.backends import OpBackend
from bev.compat.packages import Finding, Severity
from bev.compat.report import Report, collect, render

ERROR = Finding(Severity.ERROR, "numpy 2.2.0 is too new")
WARNING = Finding(Severity.WARNING, "mmpretrain is not installed")


def test_only_errors_keep_the_main_job_from_running() -> None:
    assert Report({}).main_job_can_run
    assert Report({}, findings=[WARNING]).main_job_can_run
    assert not Report({}, findings=[WARNING, ERROR]).main_job_can_run


def test_render_shows_versions_ops_and_problems() -> None:
    backends = [OpBackend("bev_ops: dcnv3", "cpu reference", "not built")]
    text = render(Report({"torch": "2.12.0", "mmcv": "2.1.0"}, ["GPU: none"], backends, [ERROR, WARNING]))
    rows = [line.split() for line in text.splitlines()]
    assert ["torch", "2.12.0", "2.14.1", "tensors"] in rows
    assert ["mmcv-lite", "2.1.0", "2.1.0"] in [row[:3] for row in rows]  # the full mmcv stands for it
    assert ["numpy", "-", "1.26.4", "arrays"] in rows
    assert "  GPU: none" in text.splitlines()
    assert ["bev_ops:", "dcnv3", "cpu", "reference", "not", "built"] in rows
    assert "  error: numpy 2.2.0 is too new" in text
    assert "  warning: mmpretrain is not installed" in text
    assert text.endswith("The main job can NOT run: 1 error above.")


def test_render_of_a_healthy_installation() -> None:
    text = render(Report({}))
    assert text.endswith("Problems\n  none\n\nThe main job can run.")


def test_collect_finds_this_installation_able_to_run() -> None:
    report = collect()
    assert [finding for finding in report.findings if finding.severity is Severity.ERROR] == []
    assert report.versions["torch"]
    assert {backend.op for backend in report.backends} >= {"bev_ops: dcnv3", "bev_ops: ms_deform_attn"}
    assert report.devices[0].startswith("CPU")


def test_collect_without_torch_still_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.sys.modules, "torch", None)
    monkeypatch.setattr(module, "check_imports", lambda: [ERROR])
    report = collect()
    assert not report.main_job_can_run
    assert report.devices == report.backends == []
    assert "unknown: torch does not import" in render(report)
