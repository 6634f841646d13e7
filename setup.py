"""Builds the compiled operators; all static metadata is in pyproject.toml.

Environment:
    BEV_OPS_REQUIRE_BUILD=1: a failed compilation is an error (default: a warning; the PyTorch reference then runs).
    BEV_OPS_CUDA=0: leave the CUDA kernels out although nvcc is there.
    CXX, TORCH_CUDA_ARCH_LIST: as usual with PyTorch extensions.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from torch.utils.cpp_extension import CUDA_HOME, BuildExtension, CppExtension, CUDAExtension

ROOT = Path(__file__).parent
VERSION = runpy.run_path(str(ROOT / "bev" / "version.py"))["__version__"]
REQUIRE_BUILD = os.environ.get("BEV_OPS_REQUIRE_BUILD") == "1"
# torch's stable ABI of 2.10: the library loads in every later version of torch, and in every Python.
STABLE_ABI = ["-DTORCH_STABLE_ONLY", "-DTORCH_TARGET_VERSION=0x020a000000000000"]
CPU_FLAGS = [
    "-O3", "-std=c++17", "-fvisibility=hidden", "-Wall", "-g0",
    # Comparisons and roundings may be vectorised, multiplications and additions fused. NaNs keep their meaning.
    "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast",
]  # fmt: skip
CUDA_FLAGS = ["-O3", "-std=c++17", "-DUSE_CUDA"]


class build_ext(BuildExtension):  # noqa: N801 (setuptools' name for the command)
    """Builds what it can, and says what it means if it can't."""

    def run(self) -> None:
        """Build all extensions; without a working compiler, warn and leave them out."""
        try:
            super().run()
        except Exception as error:
            if REQUIRE_BUILD:
                raise
            print(
                f"\nwarning: the operators were not compiled: {error}\n"
                "warning: bev_ops will run its slow PyTorch reference. A C++17 compiler (g++ or clang++, or $CXX) is\n"
                "warning: needed; BEV_OPS_REQUIRE_BUILD=1 makes this an error.\n",
                file=sys.stderr,
            )


def sources(suffix: str) -> list[str]:
    """Source files of the kernels, relative to the root, as setuptools wants them."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "ops" / "csrc").rglob(f"*{suffix}"))


def extensions() -> list[Extension]:
    """The CPU library, and the CUDA library where there are kernels for it and an nvcc."""
    common = {"include_dirs": [str(ROOT / "ops" / "csrc")], "py_limited_api": True, "optional": not REQUIRE_BUILD}
    found = [CppExtension("bev_ops._C", sources(".cpp"), extra_compile_args=[*CPU_FLAGS, *STABLE_ABI], **common)]
    if sources(".cu") and CUDA_HOME and os.environ.get("BEV_OPS_CUDA") != "0":
        flags = {"cxx": [*CPU_FLAGS, *STABLE_ABI], "nvcc": [*CUDA_FLAGS, *STABLE_ABI]}
        found.append(CUDAExtension("bev_ops._C_cuda", sources(".cu"), extra_compile_args=flags, **common))
    for extension in found:
        extension.depends = sources(".h")
    return found


setup(
    version=VERSION,
    packages=[
        *find_packages(include=["bev", "bev.*"]),
        "bev_ops",
        *(f"bev_ops.{name}" for name in find_packages("ops")),
    ],
    package_dir={"bev_ops": "ops"},
    ext_modules=extensions(),
    cmdclass={"build_ext": build_ext},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
