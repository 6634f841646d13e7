"""What `setup.py` does where no compiler works."""

from __future__ import annotations

import os
import shutil
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
    assert "warning: bev_ops will run its slow PyTorch reference on CPU. A C++17 compiler" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc")
def test_broken_nvcc_leaves_the_cpu_kernels(tmp_path: Path):
    compiler = os.environ.get("CXX", "g++")
    result = build(tmp_path, CXX=compiler, CC=compiler, TORCH_CUDA_ARCH_LIST="1.0")
    assert result.returncode == 0, result.stderr
    assert "warning: bev_ops will run its slow PyTorch reference on CUDA. An nvcc" in result.stderr
    assert [path.name for path in tmp_path.rglob("*.so")] == ["_C.abi3.so"]


@pytest.mark.slow
def test_broken_compiler_is_an_error_on_request(tmp_path: Path):
    result = build(tmp_path, BEV_OPS_REQUIRE_BUILD="1")
    assert result.returncode != 0
