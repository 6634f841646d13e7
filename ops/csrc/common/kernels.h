// The inner loops of deformable sampling for one instruction set. There is no include guard: kernels_<target>.cpp
// includes this file with BEV_TARGET (the namespace) and BEV_VECTOR_BYTES (the vector register's size) defined, and the
// compiler set to that target.
//
// A query's points are handled in two steps: `locate` computes addresses and bilinear coefficients of all of them,
// vectorised over points; then `gather` (forward) or `scatter` (backward) uses them, vectorised over the group's
// channels. Pixels outside of a map are replaced by a row of zeros, so that no point takes a branch. Where neighbours
// read the same pixels, blocks.h does this from a copy of the maps with a margin of zeros. Only functions of this
// namespace are called (and accessors that are always inlined), so that no instruction of a newer processor leaks into
// code shared with the other targets.

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

#include "common/blocks.h"

namespace bev_ops {
namespace BEV_TARGET {

// Kernels for groups of `Depth` channels, or of any number if that is 0.
template <typename V, int Depth>
KernelTable<V> table_for() {
  using A = ComputeType<V>;
  return {forward<Depth, V>, backward<Depth, V>, add_up<V>, forward_block<Depth, A>, backward_block<Depth, A>};
}

// Kernels for groups of `depth` channels; the usual widths have kernels of their own.
template <typename V>
KernelTable<V> kernels(int64_t depth) {
  if constexpr (sizeof(ComputeType<V>) == 4) {
    if (depth == 16) return table_for<V, 16>();
    if (depth == 32) return table_for<V, 32>();
    if (depth == 64) return table_for<V, 64>();
  }
  return table_for<V, 0>();
}

template KernelTable<float> kernels(int64_t);
template KernelTable<double> kernels(int64_t);
template KernelTable<BFloat16> kernels(int64_t);
template KernelTable<Half> kernels(int64_t);

}  // namespace BEV_TARGET
}  // namespace bev_ops
