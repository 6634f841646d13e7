"""Runs the CUDA kernels on the CPU through tests/ops/cuda_on_host.cpp: tensors in, tensors out."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import torch
from bev_ops.dcnv3.arguments import make_window
from torch import Tensor

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MEMORY = (
    "maps", "raw", "weights", "output", "grad_maps", "grad_raw", "grad_weights", "shapes", "splits", "anchors",
    "visible",
)  # fmt: skip
TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
OPS = ("dcnv3", "ms_deform_attn", "bev_cross_attention")


class Call(ctypes.Structure):
    """The struct `Call` of cuda_on_host.cpp."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("op", "type", "raw_wide", "backward")),
        *((name, ctypes.c_uint) for name in ("blocks", "threads")),
        *((name, ctypes.c_int64) for name in ("images", "queries", "groups", "points", "depth", "pixels")),
        ("window", ctypes.c_int64 * 9),
        *((name, ctypes.c_double) for name in ("first_x", "first_y", "offset_scale")),
        *((name, ctypes.c_int64) for name in ("center", "level_points", "rows", "anchors_per_query")),
        ("memory", ctypes.c_void_p * len(MEMORY)),
        ("bytes", ctypes.c_int64 * len(MEMORY)),
    )


class KernelError(Exception):
    """What the stand-in found wrong in a kernel."""


def compiler() -> str | None:
    """The C++ compiler, or None."""
    return shutil.which(os.environ.get("CXX", "g++"))


def build(folder: Path, *flags: str) -> ctypes.CDLL:
    """Compile the kernels for the CPU, unless the folder holds them already."""
    sources = [*HERE.glob("cuda_on_host.*"), *sorted((ROOT / "ops" / "csrc").rglob("*.cuh"))]
    sources.append(ROOT / "ops" / "csrc" / "common" / "storage.h")
    content = b"".join(path.read_bytes() for path in sources) + " ".join(flags).encode()
    library = folder / f"cuda_on_host_{hashlib.sha256(content).hexdigest()[:16]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = library.with_suffix(f".{os.getpid()}")
        command = [
            compiler(), "-O2", "-std=c++17", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-U_FORTIFY_SOURCE",
            "-DBEV_CUDA_ON_HOST", "-I", HERE, "-I", ROOT / "ops" / "csrc", "-shared", "-fPIC", *flags,
            HERE / "cuda_on_host.cpp", "-o", temporary,
        ]  # fmt: skip
        subprocess.run([str(part) for part in command], check=True)
        temporary.rename(library)
    loaded = ctypes.CDLL(str(library))
    loaded.run_kernel.restype = ctypes.c_char_p
    loaded.divide.argtypes, loaded.divide.restype = (ctypes.c_int64, ctypes.c_int64), ctypes.c_int64
    return loaded


def describe(op: str, tensors: list[Tensor], given: object) -> tuple[Call, dict[str, Tensor], tuple[int, ...]]:
    """The call without its memory, the tensors beside maps, positions and weights, and the output's shape."""
    maps, raw, _ = tensors
    call = Call(op=OPS.index(op), type=TYPES.index(maps.dtype), raw_wide=raw.dtype != maps.dtype, center=-1)
    if op == "dcnv3":
        assert isinstance(given, dict)
        names = ("kernel_size", "stride", "padding", "dilation", "groups", "offset_scale", "remove_center")
        defaults = {"offset_scale": 1.0, "remove_center": False}
        window = make_window(*({**defaults, **given}[name] for name in names)).flat()
        kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups, scale, remove = window
        images, height, width, channels = maps.shape
        rows, columns = raw.shape[1:3]
        sizes = (kernel_h, kernel_w, dilation_h, dilation_w, stride_h, stride_w, height, width, columns)
        call.window[:] = sizes
        call.first_x = dilation_w * (kernel_w - 1) // 2 - pad_w
        call.first_y = dilation_h * (kernel_h - 1) // 2 - pad_h
        call.offset_scale, call.center = scale, kernel_h * kernel_w // 2 if remove else -1
        call.images, call.queries, call.groups = images, rows * columns, groups
        call.points, call.depth = kernel_h * kernel_w - bool(remove), channels // groups
        call.pixels = height * width
        return call, {}, (images, rows, columns, channels)
    shapes, *rest = given if op == "bev_cross_attention" else (torch.tensor(given),)
    call.images, call.queries, call.groups, levels, call.level_points = raw.shape[:5]
    call.points, call.depth, call.pixels = levels * call.level_points, maps.shape[3], maps.shape[1]
    beside = {"shapes": shapes}
    if op == "bev_cross_attention":
        splits, anchors, visible = rest
        wide = torch.float64 if maps.dtype == torch.float64 else torch.float32
        beside |= {"splits": splits, "anchors": anchors.to(wide), "visible": visible}
        call.rows, call.anchors_per_query = maps.shape[0], anchors.shape[2]
    return call, beside, (*raw.shape[:2], call.groups * call.depth)


def run_on_host(
    library: ctypes.CDLL,
    op: str,
    tensors: list[Tensor],
    given: object,
    grad: Tensor | None = None,
    blocks: int = 3,
    threads: int = 64,
    missing: dict[str, int] | None = None,
) -> list[Tensor]:
    """Output of an operator's kernel, or with `grad` the gradients of maps, positions and weights.

    Results start as NaN, so that what a kernel leaves out is seen. `missing` hides the last bytes of named memory.

    Raises:
        KernelError: if the stand-in finds an error.
    """
    maps, raw, weights = (tensor.contiguous() for tensor in tensors)
    call, beside, shape = describe(op, [maps, raw, weights], given)
    call.blocks, call.threads, call.backward = blocks, threads, grad is not None
    memory = {
        "maps": maps,
        "raw": raw,
        "weights": weights,
        **{key: value.contiguous() for key, value in beside.items()},
    }
    if grad is None:
        memory["output"] = torch.full(shape, float("nan"), dtype=maps.dtype)
        results = [memory["output"]]
    else:
        memory["output"] = grad.contiguous()
        wide = torch.float64 if maps.dtype == torch.float64 else torch.float32
        results = [torch.zeros(maps.shape, dtype=wide), torch.full_like(raw, float("nan"))]
        results.append(torch.full_like(weights, float("nan")))
        memory |= dict(zip(("grad_maps", "grad_raw", "grad_weights"), results, strict=True))
    for index, name in enumerate(MEMORY):
        if name in memory:
            call.memory[index] = memory[name].data_ptr()
            call.bytes[index] = memory[name].nbytes - (missing or {}).get(name, 0)
    error = library.run_kernel(ctypes.byref(call)).decode()
    if error:
        raise KernelError(error)
    return [results[0].to(maps.dtype), *results[1:]]
