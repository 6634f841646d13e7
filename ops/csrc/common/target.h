// Which of the instruction sets that the kernels are compiled for is used.

#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <string>

#include "common/check.h"

namespace bev_ops {

enum class Target { avx512, avx2, baseline };

// The widest instruction set that processor and operating system offer.
inline Target widest_target() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  // GCC knows f16c by name from version 11 on only.
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool has_f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c;
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (has_avx512) return Target::avx512;
  if (has_avx2) return Target::avx2;
#endif
  return Target::baseline;
}

// The same, up to the one named by BEV_OPS_CPU_TARGET.
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
  // Virtual machines pass the question on to their host, which takes longer than a small call: it is asked once.
  static const Target widest = widest_target();
  if (wanted == baseline) return Target::baseline;
  return wanted == "avx2" && widest == Target::avx512 ? Target::avx2 : widest;
}

// Returns what a function, named with its template arguments and call, gives in the namespace of that instruction set.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BEV_RETURN_FOR_TARGET(...)   \
  switch (cpu_target()) {            \
    case Target::avx512:             \
      return avx512::__VA_ARGS__;    \
    case Target::avx2:               \
      return avx2::__VA_ARGS__;      \
    case Target::baseline:           \
      break;                         \
  }                                  \
  return portable::__VA_ARGS__
#else
#define BEV_RETURN_FOR_TARGET(...) \
  cpu_target(); /* checks the variable */ \
  return portable::__VA_ARGS__
#endif

}  // namespace bev_ops
