"""Builds the operators, as a distribution of their own (`pip install --no-build-isolation ./ops`) or for the root's.

Environment:
    BEV_OPS_REQUIRE_BUILD=1: a failed compilation is an error (default: a warning; the PyTorch reference then runs).
    BEV_OPS_CUDA=0: leave the CUDA kernels out although nvcc is there.
    BEV_OPS_SANITIZE=1: instrument the CPU kernels with AddressSanitizer and UndefinedBehaviorSanitizer.
    TORCH_CUDA_ARCH_LIST: architectures of the CUDA kernels (default: 7.5 to 12.0, as far as nvcc knows them, and PTX).
    CXX: as usual with PyTorch extensions.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import torch
from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py
from torch.utils.cpp_extension import CUDA_HOME, BuildExtension, CppExtension, CUDAExtension

OPS = Path(__file__).resolve().parent
REQUIRE_BUILD = os.environ.get("BEV_OPS_REQUIRE_BUILD") == "1"
# torch's stable ABI of 2.10: the library loads in every later version of torch, and in every Python.
STABLE_ABI = ["-DTORCH_STABLE_ONLY", "-DTORCH_TARGET_VERSION=0x020a000000000000"]
CPU_FLAGS = [
    "-O3", "-std=c++17", "-fvisibility=hidden", "-Wall", "-g0",
    # Comparisons and roundings may be vectorised, multiplications and additions fused. NaNs keep their meaning.
    "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast",
]  # fmt: skip
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1", "-g1"]
CUDA_FLAGS = ["-O3", "-std=c++17", "-DUSE_CUDA", "-Xcompiler=-Wall,-fvisibility=hidden"]
CUDA_ARCHITECTURES = (75, 80, 86, 89, 90, 100, 110, 120)
# What each library serves, and needs.
NEEDED = {
    "bev_ops._C": ("CPU", "A C++17 compiler (g++ or clang++, or $CXX)"),
    "bev_ops._C_cuda": ("CUDA", "An nvcc that takes this C++ compiler"),
}
# Options of setuptools' commands: one wheel for all Pythons from 3.10 on.
OPTIONS = {"bdist_wheel": {"py_limited_api": "cp310"}}


class BuildOps(BuildExtension):
    """Builds what it can, and says what it means if it can't."""

    def run(self) -> None:
        """Build each library by itself, so that a CUDA that doesn't fit leaves the CPU kernels; warn of failures."""
        given = {name: getattr(self, name) for name in ("extensions", "inplace", "compiler")}
        for extension in given["extensions"]:
            self.__dict__.update(given, extensions=[extension])
            try:
                super().run()
            except Exception as error:
                if REQUIRE_BUILD:
                    raise
                device, needed = NEEDED[extension.name]
                print(
                    f"\nwarning: the {device} kernels were not compiled: {error}\n"
                    f"warning: bev_ops will run its slow PyTorch reference on {device}. {needed} is needed;\n"
                    "warning: BEV_OPS_REQUIRE_BUILD=1 makes this an error.\n",
                    file=sys.stderr,
                )
        self.__dict__.update(given)


class CollectModules(build_py):
    """Leaves this file out of the installed package."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Modules of a package, as (package, module, file)."""
        return [
            found for found in super().find_package_modules(package, package_dir) if Path(found[2]).name != "setup.py"
        ]


COMMANDS = {"build_ext": BuildOps, "build_py": CollectModules}


def extensions(root: Path) -> list[Extension]:
    """The CPU library, and the CUDA library where there are kernels for it and an nvcc.

    Args:
        root: Folder of the running setup.py, which setuptools wants all paths to be relative to.
    """

    def files(suffix: str) -> list[str]:
        return sorted(os.path.relpath(path, root) for path in (OPS / "csrc").rglob(f"*{suffix}"))

    common = {"include_dirs": [str(OPS / "csrc")], "py_limited_api": True, "optional": not REQUIRE_BUILD}
    cpu = [*CPU_FLAGS, *STABLE_ABI]
    sanitize = SANITIZE if os.environ.get("BEV_OPS_SANITIZE") == "1" else []
    found = [
        CppExtension(
            "bev_ops._C", files(".cpp"), extra_compile_args=[*cpu, *sanitize], extra_link_args=sanitize, **common
        )
    ]
    nvcc = find_nvcc()
    if nvcc is not None:
        os.environ.setdefault("TORCH_CUDA_ARCH_LIST", cuda_architectures(nvcc))
        flags = {"cxx": cpu, "nvcc": [*CUDA_FLAGS, *STABLE_ABI]}
        found.append(
            CUDAExtension(
                "bev_ops._C_cuda", files(".cu"), extra_compile_args=flags, library_dirs=cuda_runtime(nvcc), **common
            )
        )
    for extension in found:
        extension.depends = [*files(".h"), *files(".cuh")]
    return found


def find_nvcc() -> str | None:
    """The CUDA compiler, unless there is none, it is of another CUDA than torch, or it isn't wanted."""
    if CUDA_HOME is None or torch.version.cuda is None or os.environ.get("BEV_OPS_CUDA") == "0":
        return None
    nvcc = str(Path(CUDA_HOME) / "bin" / "nvcc")
    try:
        version = ask(nvcc, "--version")
    except OSError:
        return None
    if f"release {torch.version.cuda.split('.')[0]}." in version:
        return nvcc
    print(f"warning: no CUDA kernels: {nvcc} isn't of CUDA {torch.version.cuda}, as torch is", file=sys.stderr)
    return None


def ask(nvcc: str, *arguments: str) -> str:
    """What nvcc prints."""
    result = subprocess.run([nvcc, *arguments], capture_output=True, text=True)
    return result.stdout + result.stderr


def cuda_architectures(nvcc: str) -> str:
    """Those of `CUDA_ARCHITECTURES` that nvcc knows, in the form of TORCH_CUDA_ARCH_LIST; PTX of the newest."""
    known = {int(number) for number in re.findall(r"compute_(\d+)\b", ask(nvcc, "--list-gpu-arch"))}
    names = [f"{number // 10}.{number % 10}" for number in CUDA_ARCHITECTURES if number in known]
    return ";".join(names) + "+PTX"


def cuda_runtime(nvcc: str) -> list[str]:
    """Folders of the CUDA runtime that belongs to nvcc."""
    return re.findall(r'"-L([^"]+)"', ask(nvcc, "-dryrun", "-x", "cu", os.devnull))


def packages() -> list[str]:
    """Names of all packages of the operators."""
    return ["bev_ops", *(f"bev_ops.{name}" for name in find_packages(str(OPS)))]


if __name__ == "__main__":
    setup(
        version=runpy.run_path(str(OPS / "version.py"))["__version__"],
        packages=packages(),
        package_dir={"bev_ops": "."},
        ext_modules=extensions(OPS),
        cmdclass=COMMANDS,
        options=OPTIONS,
    )
