// The inner loops of deformable sampling for one instruction set. There is no include guard: kernels_<target>.cpp
// includes this file with BEV_TARGET (the namespace) and BEV_VECTOR_BYTES (the vector register's size) defined, and the
// compiler set to that target.
//
// A query's points are handled in two steps: `locate` computes addresses and bilinear coefficients of all of them,
// vectorised over points; then `gather` (forward) or `scatter` (backward) uses them, vectorised over the group's
// channels. Pixels outside of a map are replaced by a row of zeros, so that no point takes a branch. Only functions of
// this namespace are called (and accessors that are always inlined), so that no instruction of a newer processor leaks
// into code shared with the other targets.

// The given lanes of (a, b); the lanes' numbers are integers as wide as the values.
#ifdef __clang__
#define BEV_SHUFFLE(a, b, Integers, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define BEV_SHUFFLE(a, b, Integers, ...) __builtin_shuffle(a, b, Integers{__VA_ARGS__})
#endif

#include "common/vectors.h"

#include "common/locate.h"

#include "common/gather.h"
#include "common/scatter.h"

namespace bev_ops {
namespace BEV_TARGET {

// Kernels for groups of `depth` channels; the usual widths have kernels of their own.
template <typename V>
KernelTable<V> kernels(int64_t depth) {
  if constexpr (sizeof(ComputeType<V>) == 4) {
    if (depth == 16) return {forward<16, V>, backward<16, V>, add_up<V>};
    if (depth == 32) return {forward<32, V>, backward<32, V>, add_up<V>};
    if (depth == 64) return {forward<64, V>, backward<64, V>, add_up<V>};
  }
  return {forward<0, V>, backward<0, V>, add_up<V>};
}

template KernelTable<float> kernels(int64_t);
template KernelTable<double> kernels(int64_t);
template KernelTable<BFloat16> kernels(int64_t);
template KernelTable<Half> kernels(int64_t);

}  // namespace BEV_TARGET
}  // namespace bev_ops
