"""What `setup.py` does where no compiler works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", str(folder), "--build-temp", str(folder)]
    variables = {**os.environ, "CXX": "false", "CC": "false", "BEV_OPS_REQUIRE_BUILD": "0", **environment}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=variables, timeout=300)


@pytest.mark.slow
def test_broken_compiler_is_a_warning(tmp_path: Path):
    result = build(tmp_path)
    assert result.returncode == 0, result.stderr
    assert "warning: bev_ops will run its slow PyTorch reference. A C++17 compiler" in result.stderr


@pytest.mark.slow
def test_broken_compiler_is_an_error_on_request(tmp_path: Path):
    result = build(tmp_path, BEV_OPS_REQUIRE_BUILD="1")
    assert result.returncode != 0
