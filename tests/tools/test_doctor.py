from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest
from tool_runs import TOOLS, load_tool

from bev.compat.packages import Finding, Severity
from bev.compat.report import Report


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "argv", ["doctor.py"])
    return load_tool("doctor")


@pytest.mark.parametrize(
    ("severity", "status", "verdict"),
    [(Severity.ERROR, 1, "can NOT run: 1 error above."), (Severity.WARNING, 0, "The main job can run.")],
)
def test_exit_status_says_whether_the_main_job_can_run(
    severity: Severity,
    status: int,
    verdict: str,
    doctor: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report({}, findings=[Finding(severity, "something is odd")])
    monkeypatch.setattr(doctor, "collect", lambda: report)
    assert doctor.main() == status
    printed = capsys.readouterr().out
    assert f"{severity.value}: something is odd" in printed
    assert printed.rstrip().endswith(verdict)


def test_it_runs_where_mmengine_is_missing() -> None:
    code = "import runpy, sys; sys.modules['mmengine'] = None; runpy.run_path(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(TOOLS / "doctor.py")], check=True)
