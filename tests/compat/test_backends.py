from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
import torchvision

from bev.compat import install, uninstall
from bev.compat.backends import (
    STAND_IN_BACKENDS,
    OpBackend,
    bev_op_backends,
    check_framework,
    check_imports,
    check_speed,
    check_torchvision_ops,
    describe_devices,
    mmcv_op_backends,
)
from bev.compat.mmcv_ext import SERVED_OPS
from bev.compat.packages import Severity


@pytest.fixture
def bev_ops() -> ModuleType:
    """A stand-in for the package whose CUDA library is missing."""
    module = ModuleType("bev_ops")
    module.backends = lambda: {"dcnv3": {"cpu": "compiled", "cuda": "reference", "reason": "cuda: not built"}}
    return module


@pytest.fixture
def mmcv_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package `mmcv` that hides the installed one."""
    package = tmp_path / "mmcv"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "mmcv"]:
        monkeypatch.delitem(sys.modules, name)
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "mmcv"]:
        del sys.modules[name]


def test_every_served_op_has_its_backend() -> None:
    stems = {name.split("_forward")[0].split("_backward")[0] for name in SERVED_OPS}
    assert stems == set(STAND_IN_BACKENDS)


def test_stand_in_is_reported(mmcv_folder: Path) -> None:
    backends = {backend.op: backend for backend in mmcv_op_backends()}
    reason = "mmcv's compiled extension is not installed"
    assert backends["mmcv.ops: nms"] == OpBackend("mmcv.ops: nms", "stand-in: torchvision", reason)
    assert "raises when it is called" in backends["mmcv.ops: any other"].reason


def test_full_mmcv_is_reported(mmcv_folder: Path) -> None:
    extension = mmcv_folder / "_ext.py"
    extension.touch()
    assert mmcv_op_backends() == [OpBackend("mmcv.ops", f"full mmcv ({extension})")]


def test_missing_hook_is_reported(mmcv_folder: Path) -> None:
    uninstall()
    try:
        assert mmcv_op_backends() == [OpBackend("mmcv.ops", "none", "bev.compat is not installed as an import hook")]
    finally:
        install()


def test_missing_mmcv_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mmcv._ext", raising=False)
    monkeypatch.setitem(sys.modules, "mmcv", None)
    assert mmcv_op_backends() == [OpBackend("mmcv.ops", "none", "mmcv is not installed")]


def test_bev_ops_backends_say_why(bev_ops: ModuleType) -> None:
    assert bev_op_backends(bev_ops) == [OpBackend("bev_ops: dcnv3", "cpu compiled, cuda reference", "cuda: not built")]


def test_real_bev_ops_reports_both_ops() -> None:
    ops = {backend.op for backend in bev_op_backends(importlib.import_module("bev_ops"))}
    assert ops >= {"bev_ops: dcnv3", "bev_ops: ms_deform_attn"}


def test_a_slow_reference_matters_on_devices_that_are_there(bev_ops: ModuleType) -> None:
    assert check_speed(bev_ops, has_gpu=False) == []
    (finding,) = check_speed(bev_ops, has_gpu=True)
    assert finding.severity is Severity.WARNING
    assert "bev_ops.dcnv3 runs its slow PyTorch reference on cuda (cuda: not built)" in finding.text


def test_failed_imports_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refuses_mmcv.py").write_text("raise AssertionError('MMCV==2.2.0 is used but incompatible')")
    monkeypatch.syspath_prepend(tmp_path)
    assert check_imports({"json": ""}) == []
    (finding,) = check_imports({"refuses_mmcv": "install another"})
    assert finding.severity is Severity.ERROR
    assert "refuses_mmcv does not import (AssertionError: MMCV==2.2.0 is used" in finding.text
    assert finding.text.endswith("; install another")


def test_broken_framework_is_an_error() -> None:
    def register_all() -> None:
        raise ImportError("no module named timm")

    assert check_framework(lambda: None) == []
    (finding,) = check_framework(register_all)
    assert finding.severity is Severity.ERROR
    assert "no module named timm" in finding.text


def test_torchvision_without_kernels_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nms(*args: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nmany more lines")

    assert check_torchvision_ops(torch) == []
    monkeypatch.setattr(torchvision.ops, "nms", nms)
    finding = check_torchvision_ops(torch)[0]
    assert finding.severity is Severity.ERROR
    assert "(operator torchvision::nms does not exist); install" in finding.text


def fake_torch(cuda: str | None, gpus: list[SimpleNamespace]) -> SimpleNamespace:
    return SimpleNamespace(
        version=SimpleNamespace(cuda=cuda),
        get_num_threads=lambda: 2,
        cuda=SimpleNamespace(
            is_available=lambda: bool(gpus),
            device_count=lambda: len(gpus),
            get_device_properties=gpus.__getitem__,
        ),
    )


def test_devices() -> None:
    gpu = SimpleNamespace(name="NVIDIA X", total_memory=80 * 2**30, major=9, minor=0)
    assert "GPU 0: NVIDIA X, 80 GiB, sm_90, CUDA 13.0" in describe_devices(fake_torch("13.0", [gpu]))
    assert "finds no usable device" in describe_devices(fake_torch("13.0", []))[1]
    assert "built without CUDA" in describe_devices(fake_torch(None, []))[1]


def test_cuda_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_HOME", "/opt/cuda")
    assert describe_devices(fake_torch(None, []))[-1] == "CUDA compiler: /opt/cuda"
    monkeypatch.delenv("CUDA_HOME")
    assert describe_devices(fake_torch(None, []))[-1].startswith("CUDA compiler: none")
