// Element-wise and row-wise functions between the matrix products of a network, and what each instruction set offers.

#pragma once

#include <cstdint>

#include "common/storage.h"

namespace bev_ops {

// All work on rows [begin, end) of `channels` numbers that lie one after another. A function's output may be its input.
template <typename V>
struct FusedTable {
  using A = ComputeType<V>;
  // gelu(x + bias); bias may be null.
  void (*gelu)(const V* x, const A* bias, int64_t begin, int64_t end, int64_t channels, V* output);
  // Layer norm, then GELU if wanted.
  void (*layer_norm)(const V* x, const A* weight, const A* bias, A eps, bool gelu, int64_t begin, int64_t end,
                     int64_t channels, V* output);
  // x + scale * branch; scale may be null.
  void (*add_branch)(const V* x, const V* branch, const A* scale, int64_t begin, int64_t end, int64_t channels,
                     V* output);
  // Softmax of each row; and from it and its gradient, the gradient of the logits.
  void (*softmax)(const V* logits, int64_t begin, int64_t end, int64_t channels, V* output);
  void (*softmax_backward)(const V* grad, const V* output, int64_t begin, int64_t end, int64_t channels, V* grad_logits);
};

namespace avx512 {
template <typename V>
FusedTable<V> fused_kernels();
}
namespace avx2 {
template <typename V>
FusedTable<V> fused_kernels();
}
namespace portable {
template <typename V>
FusedTable<V> fused_kernels();
}

}  // namespace bev_ops
