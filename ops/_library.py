"""Loads the compiled kernels and says which backend serves each operator."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

OPS = ("bev_cross_attention", "dcnv3", "ms_deform_attn")
# The CUDA kernels have a library of their own, so that the CPU one loads where the CUDA runtime is missing.
LIBRARIES = {"cpu": "_C", "cuda": "_C_cuda"}


def _load(stem: str) -> str:
    """Load a library; return why that failed, or an empty string."""
    found = sorted(Path(__file__).parent.glob(f"{stem}.*so"))
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
_reference_only = False
_contexts = 0  # of `use_reference`, in all threads
_lock = threading.Lock()


def _warn(device_type: str) -> None:
    """Say once per kind of device why the reference runs."""
    if device_type in _warned:
        return
    _warned.add(device_type)
    reason = MISSING.get(device_type, f"there are no kernels for {device_type} devices")
    warnings.warn(f"bev_ops runs its slow PyTorch reference on {device_type}: {reason}", stacklevel=3)


def is_compiled(device_type: str) -> bool:
    """Whether compiled kernels serve tensors on `device_type`; warns the first time that they don't."""
    if _reference_only:
        return False
    if device_type == "meta":
        return HAS_SCHEMAS
    if MISSING.get(device_type) == "":
        return True
    if not torch.compiler.is_compiling():
        _warn(device_type)
    return False


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
    served = {device: "reference" if reason else "compiled" for device, reason in reasons.items()}
    return {**served, "reason": "; ".join(f"{device}: {why}" for device, why in reasons.items() if why)}


def _missing_kernel(op: str, device: str) -> str:
    """That a loaded library has no kernel of this operator, or an empty string."""
    found = torch._C._dispatch_has_kernel_for_dispatch_key(f"bev_ops::{op}", device.upper())
    return "" if found else f"{LIBRARIES[device]} has no {op}"
