"""How the compiled library is found, and what happens without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import bev_ops
import pytest
import torch
from bev_ops import _library, backends, use_reference
from op_cases import random_dcnv3

COMPILED = backends()["dcnv3"]["cpu"] == "compiled"
SMALL_RUN = """
import torch, bev_ops
tensors = [torch.ones(1, 4, 5, n) for n in (16, 36, 18)]
for _ in range(2):
    bev_ops.functional.dcnv3(*tensors, kernel_size=3, padding=1, groups=2)
print(bev_ops.backends()["dcnv3"]["cpu"])
"""


def run_without_library(folder: Path) -> subprocess.CompletedProcess:
    """SMALL_RUN with the package in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SMALL_RUN]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def test_backends_names_each_op():
    assert set(backends()) == {"bev_cross_attention", "dcnv3", "ms_deform_attn"}
    for served in backends().values():
        assert {served["cpu"], served["cuda"]} <= {"compiled", "reference"}
        assert bool(served["reason"]) == ("reference" in (served["cpu"], served["cuda"]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the package that has no compiled files."""
    package = Path(bev_ops.__file__).parent
    shutil.copytree(package, tmp_path / "bev_ops", ignore=shutil.ignore_patterns("*.so", "csrc"))
    return tmp_path


def test_without_library_the_reference_runs_and_one_warning_says_why(folder: Path):
    result = run_without_library(folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "reference"
    assert result.stderr.count("bev_ops runs its slow PyTorch reference on cpu: no _C.*so") == 1


def test_broken_library_is_named_in_the_warning(folder: Path):
    (folder / "bev_ops" / "_C.abi3.so").write_bytes(b"not a library")
    result = run_without_library(folder)
    assert result.returncode == 0, result.stderr
    assert "_C.abi3.so does not load" in result.stderr


@pytest.mark.skipif(not COMPILED, reason="the operators are not compiled")
def test_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BEV_OPS_CPU_TARGET", "mmx")
    tensors, arguments = random_dcnv3(1, (4, 5), 2, 3, padding=1)
    with pytest.raises(RuntimeError, match="BEV_OPS_CPU_TARGET must be avx512, avx2 or portable, got mmx"):
        bev_ops.functional.dcnv3(*tensors, **arguments)


@pytest.fixture
def old_and_new_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two CUDA devices, of which the library has no code for the first."""
    monkeypatch.setattr(_library, "MISSING", {"cpu": "", "cuda": ""})
    monkeypatch.setattr(_library, "_missing_kernel", lambda *_: "")
    monkeypatch.setattr(_library, "_warned", set())
    monkeypatch.setattr(_library, "_without_code", {})
    monkeypatch.setattr(_library, "_has_code", lambda index: index == 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old one")
    _library._ask_device.cache_clear()
    yield
    _library._ask_device.cache_clear()


@pytest.mark.usefixtures("old_and_new_device")
def test_a_device_without_code_takes_the_reference_with_one_warning():
    with pytest.warns(UserWarning, match=r"reference on cuda: _C_cuda has no code for .* 6.1 \(an old one\)") as seen:
        for _ in range(3):
            assert not _library.is_compiled(torch.device("cuda", 0))
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _library.is_compiled(torch.device("cuda", 1))
    served = backends()["dcnv3"]
    assert served["cpu"] == "compiled" and served["cuda"] == "reference"
    assert "build it with TORCH_CUDA_ARCH_LIST=6.1" in served["reason"]


@pytest.mark.skipif(_library.MISSING["cuda"] != "", reason="there is no CUDA library")
def test_a_device_that_cannot_be_asked_is_left_to_the_kernels():
    assert _library._has_code(99)


def test_contexts_of_two_threads_end_in_any_order():
    entered, left = threading.Event(), threading.Event()

    def first() -> None:
        with use_reference():
            entered.wait(10)
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    with use_reference():
        entered.set()
        left.wait(10)
        assert _library._reference_only
    thread.join()
    assert not _library._reference_only
