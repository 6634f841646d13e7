"""Loads the compiled kernels and says which backend serves each operator."""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

OPS = ("bev_cross_attention", "dcnv3", "ms_deform_attn")
# The CUDA kernels have a library of their own, so that the CPU one loads where the CUDA runtime is missing.
LIBRARIES = {"cpu": "_C", "cuda": "_C_cuda"}


def _files(stem: str) -> list[Path]:
    return sorted(Path(__file__).parent.glob(f"{stem}.*so"))


def _load(stem: str) -> str:
    """Load a library; return why that failed, or an empty string."""
    found = _files(stem)
    if not found:
        return f"no {stem}.*so in {Path(__file__).parent}; build it with `pip install --no-build-isolation -e .`"
    try:
        torch.ops.load_library(found[0])
    except (OSError, RuntimeError) as error:
        return f"{found[0].name} does not load ({error})"
    return ""


# Why there are no kernels for a device; empty where there are. The CPU library holds all schemas, so it comes first.
MISSING = {"cpu": _load(LIBRARIES["cpu"])}
MISSING["cuda"] = MISSING["cpu"] or _load(LIBRARIES["cuda"])
HAS_SCHEMAS = not MISSING["cpu"]

_warned: set[str] = set()
_without_code: dict[int, str] = {}  # CUDA devices that the library has no code for, and what that means
_reference_only = False
_contexts = 0  # of `use_reference`, in all threads
_lock = threading.Lock()


def _warn(device_type: str, reason: str) -> None:
    """Say once per kind of device why the reference runs."""
    if device_type in _warned:
        return
    _warned.add(device_type)
    warnings.warn(f"bev_ops runs its slow PyTorch reference on {device_type}: {reason}", stacklevel=3)


def is_compiled(device: torch.device) -> bool:
    """Whether compiled kernels serve tensors on `device`; warns the first time that they don't."""
    if _reference_only:
        return False
    if device.type == "meta":
        return HAS_SCHEMAS
    reason = MISSING.get(device.type, f"there are no kernels for {device.type} devices")
    if device.type == "cuda" and not reason:
        reason = _why_not_on(device.index)
    if reason and not torch.compiler.is_compiling():
        _warn(device.type, reason)
    return not reason


def _why_not_on(index: int | None) -> str:
    """Why the CUDA library doesn't serve a device (the current one by default), or an empty string."""
    if torch.compiler.is_compiling():
        return _without_code.get(index or 0, "")  # tracing can't ask the device
    return _ask_device(torch.cuda.current_device() if index is None else index)


@cache
def _ask_device(index: int) -> str:
    if _has_code(index):
        return ""
    name, capability = torch.cuda.get_device_name(index), "{}.{}".format(*torch.cuda.get_device_capability(index))
    _without_code[index] = (
        f"{LIBRARIES['cuda']} has no code for compute capability {capability} ({name}); "
        f"build it with TORCH_CUDA_ARCH_LIST={capability}"
    )
    return _without_code[index]


def _has_code(index: int) -> bool:
    return bool(ctypes.CDLL(str(_files(LIBRARIES["cuda"])[0])).bev_ops_has_code(index))


@contextmanager
def use_reference() -> Iterator[None]:
    """Run the plain PyTorch reference of all operators in all threads within the context, to compare with it."""
    _count_contexts(1)
    try:
        yield
    finally:
        _count_contexts(-1)


def _count_contexts(change: int) -> None:
    """Contexts of several threads may end in any order; the last one ends it."""
    global _contexts, _reference_only
    with _lock:
        _contexts += change
        _reference_only = _contexts > 0


def backends() -> dict[str, dict[str, str]]:
    """Which backend serves each operator.

    Returns:
        `{op: {'cpu': 'compiled' | 'reference', 'cuda': the same, 'reason': why, where it is the reference}}`.
    """
    return {op: _backends_of(op) for op in OPS}


def _backends_of(op: str) -> dict[str, str]:
    reasons = {device: MISSING[device] or _missing_kernel(op, device) for device in MISSING}
    if not reasons["cuda"] and torch.cuda.is_available():
        reasons["cuda"] = _why_not_on(None)
    served = {device: "reference" if reason else "compiled" for device, reason in reasons.items()}
    return {**served, "reason": "; ".join(f"{device}: {why}" for device, why in reasons.items() if why)}


def _missing_kernel(op: str, device: str) -> str:
    """That a loaded library has no kernel of this operator, or an empty string."""
    found = torch._C._dispatch_has_kernel_for_dispatch_key(f"bev_ops::{op}", device.upper())
    return "" if found else f"{LIBRARIES[device]} has no {op}"
