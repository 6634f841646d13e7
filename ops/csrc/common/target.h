// Which of the instruction sets that the kernels are compiled for is used.

#pragma once

#include <cstdlib>
#include <string>

#include "common/check.h"

namespace bev_ops {

enum class Target { avx512, avx2, baseline };

// The widest instruction set that processor and operating system offer, up to the one named by BEV_OPS_CPU_TARGET.
inline Target cpu_target() {
#ifdef __aarch64__
  constexpr const char* baseline = "neon";
#else
  constexpr const char* baseline = "portable";
#endif
  const char* named = std::getenv("BEV_OPS_CPU_TARGET");
  const std::string wanted = named == nullptr ? "" : named;
  require(wanted.empty() || wanted == "avx512" || wanted == "avx2" || wanted == baseline,
          "bev_ops: BEV_OPS_CPU_TARGET must be avx512, avx2 or ", baseline, ", got ", wanted);
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  const bool has_avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (has_avx512 && (wanted.empty() || wanted == "avx512")) return Target::avx512;
  if (has_avx2 && wanted != baseline) return Target::avx2;
#endif
  return Target::baseline;
}

}  // namespace bev_ops
