// What each instruction set offers to sampling.cpp.

#pragma once

#include "common/sampling.h"

namespace bev_ops {

// Scratch memory of one thread, for the points of up to `groups` groups of one query.
template <typename A>
struct Scratch {
  int64_t groups;
  uint64_t* address[4];        // of each corner's pixel: top left, top right, bottom left, bottom right
  uint64_t* target[4];         // backward only: of the corner's gradient
  Integer<A>* offset[4];       // of each corner's pixel, in elements from the map's first; in planes the first corner's
  A* coefficients;             // the point's weight times the corner's bilinear weight, 4 per point
  A *fraction_x, *fraction_y;  // position relative to the top left corner
  A* products;                 // scalar products of the output's gradient with the corners, 4 per point
  A *raw, *weights;            // copies, where the given ones can't be read in place
  A *grad_raw, *grad_weights;  // all points of a query
  A *bias_x, *bias_y;          // of the current view, all points of a query
  A *sums, *grad_output;       // all channels of a query
  void* zeros;                 // stands for pixels outside of a map
  A* waste;                    // takes the gradients of pixels outside of a map
};

// Part of a backward pass: groups [first_group, last_group) of queries [first_query, last_query) of one image.
struct Task {
  int64_t image, first_group, last_group, first_query, last_query;
};

// A map in a margin of two pixels: a corner of a point that is clamped to two pixels around the map needs no check.
// What is right of a row is left of the next one.
struct Plane {
  int64_t width;   // from one row to the next
  int64_t origin;  // the map's first pixel
  int64_t pixels;
};

template <typename V>
inline __attribute__((always_inline)) Plane plane_of(const Sampling<V>& s) {
  const int64_t width = s.width + 2;
  return {width, 2 * width + 2, (s.pixels / s.width + 4) * width + 2};
}

// Maps in whatever type; output and gradients are of the same one, but for those of raw positions and weights.
struct Stored {
  Storage type;
  const void* maps;
};

struct StoredGradients {
  const void* output;  // given
  void *maps, *raw, *weights;
};

// Room of one thread for the planes of a task's groups, one after another, and for their gradient.
template <typename A>
struct Block {
  A *maps, *grad_maps;
};

template <typename V>
struct KernelTable {
  using A = ComputeType<V>;
  // Output of the queries [begin, end), counted over all images.
  void (*forward)(const Sampling<V>&, int64_t begin, int64_t end, const Scratch<A>&, V* output);
  // Adds to `grad_maps`, and sets the gradients of raw positions and weights.
  void (*backward)(const Sampling<V>&, const Task&, const Scratch<A>&, const SamplingGradients<V>&, A* grad_maps);
  // output[i] = sum over `count` copies, `stride` apart, for i in [begin, end).
  void (*add_up)(const A* copies, int64_t count, int64_t stride, int64_t begin, int64_t end, V* output);
  // The task's part of the output, from a copy of its maps.
  void (*forward_block)(const Sampling<A>&, const Stored&, const Task&, const Scratch<A>&, const Block<A>&,
                        void* output);
  // All gradients of the task's groups and image.
  void (*backward_block)(const Sampling<A>&, const Stored&, const Task&, const Scratch<A>&, const Block<A>&,
                         const StoredGradients&);
};

namespace avx512 {
template <typename V>
KernelTable<V> kernels(int64_t depth);
}
namespace avx2 {
template <typename V>
KernelTable<V> kernels(int64_t depth);
}
namespace portable {
template <typename V>
KernelTable<V> kernels(int64_t depth);
}

}  // namespace bev_ops
