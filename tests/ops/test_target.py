"""Which instruction set the kernels are chosen for."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from cuda_host import compiler

CSRC = Path(__file__).parents[2] / "ops" / "csrc"
# Stands in for the compiler's header: counts the questions, and answers that the processor has everything.
CPUID = """
#include <cstdio>
#define bit_F16C (1 << 29)
static int asked = 0;
static int __get_cpuid(unsigned, unsigned*, unsigned*, unsigned* c, unsigned*) {
  ++asked;
  *c = ~0u;
  return 1;
}
"""
CHECK = "template <typename... T> void require(bool, const T&...) {}"
PROGRAM = """
#include "common/target.h"
using namespace bev_ops;
int main() {
  const int first = static_cast<int>(cpu_target());
  setenv("BEV_OPS_CPU_TARGET", "portable", 1);
  const int narrow = static_cast<int>(cpu_target());
  unsetenv("BEV_OPS_CPU_TARGET");
  std::printf("asked %d, again the same %d, narrowed %d", asked, cpu_target() == static_cast<Target>(first),
              narrow == static_cast<int>(Target::baseline));
}
"""


@pytest.mark.skipif(platform.machine() != "x86_64" or compiler() is None, reason="no x86 or no C++ compiler")
def test_the_processor_is_asked_once_and_the_variable_read_each_time(tmp_path: Path):
    if "clang" in subprocess.run([compiler(), "--version"], capture_output=True, text=True).stdout:
        pytest.skip("kernels compiled by clang have one instruction set")
    (tmp_path / "common").mkdir()
    (tmp_path / "cpuid.h").write_text(CPUID)
    (tmp_path / "common" / "check.h").write_text(f"namespace bev_ops {{ {CHECK} }}")
    (tmp_path / "main.cpp").write_text(PROGRAM)
    command = [compiler(), "-std=c++17", "-I", tmp_path, "-I", CSRC, tmp_path / "main.cpp", "-o", tmp_path / "main"]
    subprocess.run([str(part) for part in command], check=True)
    environment = {key: value for key, value in os.environ.items() if key != "BEV_OPS_CPU_TARGET"}
    output = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True, env=environment).stdout
    assert output == "asked 1, again the same 1, narrowed 1"
