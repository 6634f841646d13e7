"""What `setup.py` does where no compiler works."""

from __future__ import annotations

import importlib.util
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


def test_architectures_are_those_that_nvcc_knows(monkeypatch: pytest.MonkeyPatch):
    spec = importlib.util.spec_from_file_location("ops_setup", ROOT / "ops" / "setup.py")
    assert spec is not None and spec.loader is not None
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    for known, expected in (
        ("compute_75 compute_90 compute_100 compute_101 compute_120", "7.5;9.0;10.0;12.0+PTX"),
        ("compute_75 compute_80 compute_90 compute_100 compute_110 compute_120", "7.5;8.0;9.0;10.0;11.0;12.0+PTX"),
    ):
        monkeypatch.setattr(setup, "ask", lambda *_, known=known: known)
        assert setup.cuda_architectures("nvcc") == expected
