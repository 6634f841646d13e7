"""Registers, shared memory and spills of the CUDA kernels, as nvcc's assembler reports them; needs no GPU.

    python -m bev_ops.benchmarks.ptxas_report [--arch 90]

Needs the sources, so bev_ops from a checkout. The exit status is 1 if a forward kernel spills registers to memory.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch.utils.cpp_extension import CUDA_HOME, include_paths

SOURCES = Path(__file__).parents[1] / "csrc"
FLAGS = ("-O3", "-std=c++17", "-DUSE_CUDA", "-DTORCH_STABLE_ONLY", "-DTORCH_TARGET_VERSION=0x020a000000000000")
TYPES = {"f": "float32", "d": "float64", "BFloat16": "bfloat16", "Half": "float16"}
KERNEL = re.compile(
    r"Function properties for \S*?(?P<direction>forward|backward)_kernelILi(?P<numbers>\d+)E(?:NS_\d+)?"
    r"(?P<type>f|d|BFloat16|Half)\S*\n"
    r"\s*(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads\n"
    r".*?Used (?P<registers>\d+) registers.*?(?P<shared>\d+) bytes smem"
)


@dataclass(frozen=True)
class Kernel:
    """One instance of a kernel template."""

    op: str
    direction: str
    dtype: str
    numbers: int
    registers: int
    shared_bytes: int
    spilled_bytes: int


def parse(op: str, report: str) -> Iterator[Kernel]:
    """Kernels in what ptxas prints."""
    for match in KERNEL.finditer(report):
        spilled = int(match["stores"]) + int(match["loads"])
        yield Kernel(
            op, match["direction"], TYPES[match["type"]], int(match["numbers"]), int(match["registers"]),
            int(match["shared"]), spilled,
        )  # fmt: skip


def assemble(source: Path, architecture: int) -> str:
    """Compile one file and return the assembler's report.

    Raises:
        RuntimeError: if nvcc fails or warns.
    """
    if CUDA_HOME is None:
        raise RuntimeError("no nvcc found; set CUDA_HOME")
    includes = [f"-I{path}" for path in (SOURCES, *include_paths())]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(CUDA_HOME) / "bin" / "nvcc"), *FLAGS, *includes, "-Xcompiler=-Wall,-fPIC", "-Xptxas=-v",
            f"-gencode=arch=compute_{architecture},code=sm_{architecture}", "-c", str(source),
            "-o", f"{folder}/kernels.o",
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode or "warning" in result.stderr:
        raise RuntimeError(f"nvcc, {source.name}: {result.stderr}")
    return result.stderr


def rows(kernels: list[Kernel]) -> Iterator[str]:
    """A Markdown table: a row per operator, pass and type, over the kernels for wide and for odd channel counts."""
    yield "| op | pass | type | registers | shared memory, bytes | spilled, bytes |"
    yield "|---|---|---|---|---|---|"
    for key in dict.fromkeys((kernel.op, kernel.direction, kernel.dtype) for kernel in kernels):
        mine = [kernel for kernel in kernels if (kernel.op, kernel.direction, kernel.dtype) == key]
        registers = sorted({kernel.registers for kernel in mine})
        used = str(registers[0]) if len(registers) == 1 else f"{registers[0]} to {registers[-1]}"
        shared, spilled = (max(getattr(k, name) for k in mine) for name in ("shared_bytes", "spilled_bytes"))
        yield f"| `{key[0]}` | {key[1]} | {key[2]} | {used} | {shared} | {spilled} |"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", type=int, default=90, help="90 for sm_90")
    architecture = parser.parse_args(argv).arch
    kernels = []
    for source in sorted(SOURCES.rglob("*_cuda.cu")):
        kernels += sorted(
            parse(source.parent.name, assemble(source, architecture)), key=lambda k: (k.direction != "forward", k.dtype)
        )
    print("\n".join(rows(kernels)))
    if any(kernel.spilled_bytes for kernel in kernels if kernel.direction == "forward") or not kernels:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
