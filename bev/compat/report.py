"""State of an installation: packages, devices, who serves each op, and what keeps the main job from running."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bev.compat.backends import (
    OpBackend,
    bev_op_backends,
    check_framework,
    check_imports,
    check_speed,
    check_torchvision_ops,
    describe_devices,
    mmcv_op_backends,
)
from bev.compat.packages import REQUIREMENTS, Finding, Severity, check_installation, find_installed, installed_versions
from bev.version import __version__

UNKNOWN = "unknown: torch does not import"


@dataclass(frozen=True)
class Report:
    """What `collect` saw.

    Attributes:
        versions: version of each installed distribution that matters.
        devices: one line per processor, GPU and compiler.
        backends: who serves each op.
        findings: what is wrong.
    """

    versions: Mapping[str, str]
    devices: list[str] = field(default_factory=list)
    backends: list[OpBackend] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def main_job_can_run(self) -> bool:
        """Whether nothing that was found is an error."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def collect() -> Report:
    """Looks at this interpreter's installation; imports everything the main job imports (seconds)."""
    versions = installed_versions()
    findings = check_installation(versions, sys.version_info[:2])
    broken = check_imports()
    findings += broken
    torch, bev_ops = sys.modules.get("torch"), sys.modules.get("bev_ops")
    if torch is None:
        return Report(versions, findings=findings)
    findings += check_torchvision_ops(torch)
    backends = mmcv_op_backends()
    if bev_ops is not None:
        findings += check_speed(bev_ops, torch.cuda.is_available())
        backends = bev_op_backends(bev_ops) + backends
    if not broken:  # else our own modules fail for the same reasons
        findings += check_framework(importlib.import_module("bev").register_all)
    return Report(versions, describe_devices(torch), backends, findings)


def render(report: Report) -> str:
    """The report as text for a terminal, problems last."""
    title = f"bev {__version__} on Python {platform.python_version()}, {platform.platform()}"
    sections = [
        [title],
        ["Packages", *_package_lines(report.versions)],
        ["Devices", *_indent(report.devices or [UNKNOWN])],
        ["Operators", *_operator_lines(report.backends)],
        ["Problems", *_indent([f"{f.severity.value}: {f.text}" for f in report.findings] or ["none"])],
        [_verdict(report)],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections)


def _package_lines(versions: Mapping[str, str]) -> list[str]:
    rows = [("", "found", "verified with", "for")]
    for requirement in REQUIREMENTS:
        _, found = find_installed(requirement, versions) or ("", "-")
        purpose = requirement.purpose + ("" if requirement.main else " (optional)")
        rows.append((requirement.name, found, requirement.verified, purpose))
    return _table(rows)


def _operator_lines(backends: list[OpBackend]) -> list[str]:
    if not backends:
        return _indent([UNKNOWN])
    return _table([("", "served by", "because"), *((b.op, b.backend, b.reason) for b in backends)])


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return _indent([line.rstrip() for line in lines])


def _indent(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _verdict(report: Report) -> str:
    if report.main_job_can_run:
        return "The main job can run."
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    return f"The main job can NOT run: {errors} error{'s' * (errors > 1)} above."
