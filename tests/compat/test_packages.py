from __future__ import annotations

import re
from pathlib import Path

import pytest

from bev.compat.packages import (
    REQUIREMENTS,
    Finding,
    Severity,
    check_combinations,
    check_installation,
    check_pkg_resources,
    check_python,
    check_torchvision_pair,
    check_versions,
    installed_versions,
    is_older,
    release,
)

ROOT = Path(__file__).parents[2]
VERIFIED = {requirement.name: requirement.verified for requirement in REQUIREMENTS}


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_release_numbers() -> None:
    assert release("2.14.1+cu130") == (2, 14, 1)
    assert release("2.0.0rc4") == (2, 0, 0)
    with pytest.raises(ValueError, match="not a version number: 'dev'"):
        release("dev")


@pytest.mark.parametrize(
    ("first", "second", "older"),
    [("2.9.1", "2.10", True), ("2.10.0+cpu", "2.10", False), ("2.0", "2.0.0", False), ("1.26.4", "2", True)],
)
def test_order_of_versions(first: str, second: str, older: bool) -> None:
    assert is_older(first, second) is older


def test_verified_versions_have_no_findings() -> None:
    assert check_versions(VERIFIED) == []
    assert check_combinations(VERIFIED) == []


@pytest.mark.parametrize(
    ("name", "version", "severity", "text"),
    [
        ("numpy", "2.2.0", Severity.ERROR, r"numpy 2\.2\.0 is too new .*; pip install 'numpy>=1\.23,<2'"),
        ("torch", "2.9.1+cu128", Severity.ERROR, r"torch 2\.9\.1\+cu128 is too old \(bev_ops uses its stable ABI\)"),
        ("mmcv-lite", "2.2.0", Severity.ERROR, r"mmcv-lite 2\.2\.0 is too new \(mmdet 3\.3, .* refuse"),
        ("mmdet3d", "1.3.0", Severity.ERROR, r"mmdet3d 1\.3\.0 is too old"),
        ("setuptools", "82.0", Severity.WARNING, r"setuptools 82\.0 is too new .*pip install 'setuptools<81'"),
        ("protobuf", "3.19.6", Severity.WARNING, r"protobuf 3\.19\.6 is too old"),
    ],
)
def test_out_of_range(name: str, version: str, severity: Severity, text: str) -> None:
    finding = only(check_versions({**VERIFIED, name: version}))
    assert finding.severity is severity
    assert re.search(text, finding.text)


@pytest.mark.parametrize(("name", "severity"), [("mmdet3d", Severity.ERROR), ("mmpretrain", Severity.WARNING)])
def test_missing_package(name: str, severity: Severity) -> None:
    finding = only(check_versions({other: version for other, version in VERIFIED.items() if other != name}))
    assert finding.severity is severity
    assert finding.text.startswith(f"{name} is not installed")


def test_full_mmcv_counts_and_is_named_when_wrong() -> None:
    others = {name: version for name, version in VERIFIED.items() if name != "mmcv-lite"}
    assert check_versions({**others, "mmcv": "2.1.0"}) == []
    text = only(check_versions({**others, "mmcv": "2.2.0"})).text
    assert text.startswith("mmcv 2.2.0 is too new")
    assert text.endswith("pip uninstall mmcv; pip install 'mmcv-lite>=2.0.0,<2.2.0'")


def test_packages_that_overwrite_each_other() -> None:
    assert "overwrite each other" in only(check_combinations({"mmcv": "2.1.0", "mmcv-lite": "2.1.0"})).text
    same = {"opencv-python": "4.11.0.86", "opencv-python-headless": "4.11.0.86"}
    assert check_combinations(same) == []
    text = only(check_combinations({**same, "opencv-python": "4.10.0.84"})).text
    assert "opencv-python 4.10.0.84, opencv-python-headless 4.11.0.86 share the folder cv2" in text


@pytest.mark.parametrize(
    ("torch", "need", "fits"),
    [
        ("2.10.0+cu128", "torch==2.10.0", True),
        ("2.11.0", "torch==2.10.0", False),
        ("2.15.0", "torch (>=2.14.0)", True),
        ("2.13.0", "torch (>=2.14.0)", False),
    ],
)
def test_torchvision_of_another_torch(torch: str, need: str, fits: bool) -> None:
    findings = check_torchvision_pair(torch, ["numpy", need, "torchaudio==1.0"])
    assert (findings == []) is fits
    assert all(finding.severity is Severity.ERROR and torch in finding.text for finding in findings)


def test_python_range() -> None:
    assert check_python((3, 10)) == check_python((3, 12)) == []
    assert only(check_python((3, 9))).severity is Severity.ERROR
    assert only(check_python((3, 13))).text == "Python 3.13 is not supported; use Python 3.10 to 3.12"


def test_missing_pkg_resources() -> None:
    assert check_pkg_resources(lambda name: object()) == []
    assert "pip install 'setuptools<81'" in only(check_pkg_resources(lambda name: None)).text


def test_torchvision_pair_is_part_of_the_whole() -> None:
    versions = {**installed_versions(), "torch": "2.10.0"}
    assert any("torchvision was built for" in finding.text for finding in check_installation(versions, (3, 11)))


def test_table_agrees_with_the_requirements_file() -> None:
    lines = (ROOT / "requirements" / "verified.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    assert {"torch", "mmdet3d", "numpy"} <= set(pins)
    assert pins.items() <= VERIFIED.items()
