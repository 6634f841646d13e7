"""Which code serves each operator on this machine, and why."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from bev.compat.finder import EXTENSION, STAND_IN
from bev.compat.packages import Finding, Severity

# What the stand-in's ops are made of, by the name that mmcv gives the op.
STAND_IN_BACKENDS = {
    "nms": "torchvision",
    "softnms": "NumPy",
    "roi_align": "torchvision",
    "deform_conv": "torchvision",
    "modulated_deform_conv": "torchvision",
    "sigmoid_focal_loss": "plain PyTorch",
    "ms_deform_attn": "bev_ops (mmcv's own PyTorch code on CPU tensors)",
}

_REINSTALL = "pip install -r requirements/verified.txt"
# What the main job imports from outside, and what to do where an import fails.
MAIN_JOB_MODULES = {
    "torch": _REINSTALL,
    "torchvision": _REINSTALL,
    "mmengine": _REINSTALL,
    "mmcv.ops": "if a full mmcv was compiled for another torch: pip uninstall mmcv; pip install mmcv-lite==2.1.0",
    "mmdet.models": _REINSTALL,
    "mmdet3d.structures": _REINSTALL,
    "mmdet3d.registry": _REINSTALL,
    "nuscenes.nuscenes": _REINSTALL,
    "nuscenes.eval.detection.evaluate": _REINSTALL,
    "cv2": _REINSTALL,
    "bev_ops": "pip install --no-build-isolation --no-deps -e .",
}


@dataclass(frozen=True)
class OpBackend:
    """Where an operator's code comes from, and why it is not from a better place (empty where it is the best)."""

    op: str
    backend: str
    reason: str = ""


def check_imports(modules: Mapping[str, str] | None = None) -> list[Finding]:
    """Imports modules and finds those that fail.

    Args:
        modules: what to do about a failure, by module name; what the main job imports if not given.
    """
    findings = []
    for name, advice in (MAIN_JOB_MODULES if modules is None else modules).items():
        try:
            importlib.import_module(name)
        except Exception as error:
            # Broken binaries and failed version assertions raise anything but ImportError; all of it is to be shown.
            text = f"{name} does not import ({type(error).__name__}: {error}); {advice}"
            findings.append(Finding(Severity.ERROR, text))
    return findings


def check_framework(register_all: Callable[[], None]) -> list[Finding]:
    """Imports our own modules, and finds the first that fails."""
    try:
        register_all()
    except Exception as error:
        text = f"a module of bev does not import ({type(error).__name__}: {error}); {_REINSTALL}"
        return [Finding(Severity.ERROR, text)]
    return []


def check_speed(bev_ops: ModuleType, has_gpu: bool) -> list[Finding]:
    """Finds ops of `bev_ops` that run their slow reference on a device that this machine has."""
    devices = ["cpu"] + ["cuda"] * has_gpu
    return [
        Finding(Severity.WARNING, f"bev_ops.{op} runs its slow PyTorch reference on {device} ({served['reason']})")
        for op, served in bev_ops.backends().items()
        for device in devices
        if served[device] == "reference"
    ]


def mmcv_op_backends() -> list[OpBackend]:
    """Who serves mmcv's compiled ops: a full mmcv, or the stand-in for the ops it has."""
    try:
        spec = importlib.util.find_spec(EXTENSION)
    except ModuleNotFoundError:
        return [OpBackend("mmcv.ops", "none", "mmcv is not installed")]
    if spec is None:
        return [OpBackend("mmcv.ops", "none", "bev.compat is not installed as an import hook")]
    if spec.origin != STAND_IN:
        return [OpBackend("mmcv.ops", f"full mmcv ({spec.origin})")]
    reason = "mmcv's compiled extension is not installed"
    served = [OpBackend(f"mmcv.ops: {op}", f"stand-in: {by}", reason) for op, by in STAND_IN_BACKENDS.items()]
    return [*served, OpBackend("mmcv.ops: any other", "none", f"{reason}; the op raises when it is called")]


def bev_op_backends(bev_ops: ModuleType) -> list[OpBackend]:
    """Who serves the ops of `bev_ops` on each kind of device."""
    return [
        OpBackend(f"bev_ops: {op}", f"cpu {served['cpu']}, cuda {served['cuda']}", served.get("reason", ""))
        for op, served in bev_ops.backends().items()
    ]


def describe_devices(torch: ModuleType) -> list[str]:
    """A line for the processor, for each GPU (or why there is none), and for the CUDA compiler."""
    threads = f"CPU: {os.cpu_count()} cores, torch threads: {torch.get_num_threads()}"
    nvcc = shutil.which("nvcc") or os.environ.get("CUDA_HOME")
    compiler = f"CUDA compiler: {nvcc}" if nvcc else "CUDA compiler: none (CUDA kernels can't be built here)"
    return [threads, *_describe_gpus(torch), compiler]


def _describe_gpus(torch: ModuleType) -> list[str]:
    if torch.version.cuda is None:
        return ["GPU: none (this torch is built without CUDA)"]
    if not torch.cuda.is_available():
        return [f"GPU: none (torch is built for CUDA {torch.version.cuda}, but finds no usable device or driver)"]
    lines = []
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        memory = gpu.total_memory / 2**30
        lines.append(f"GPU {index}: {gpu.name}, {memory:.0f} GiB, sm_{gpu.major}{gpu.minor}, CUDA {torch.version.cuda}")
    return lines


def check_torchvision_ops(torch: ModuleType) -> list[Finding]:
    """Runs a compiled torchvision op on each kind of device, as the stand-in does, and finds where it fails."""
    findings = []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        try:
            nms = importlib.import_module("torchvision").ops.nms
            nms(torch.zeros(1, 4, device=device), torch.zeros(1, device=device), 0.5)
        except Exception as error:
            message = (str(error).strip() or type(error).__name__).splitlines()[0]
            text = f"torchvision's compiled ops don't run on {device} ({message})"
            findings.append(Finding(Severity.ERROR, f"{text}; install the torchvision of this torch's release"))
    return findings
