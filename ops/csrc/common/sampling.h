// Deformable sampling on the CPU, the common core of dcnv3 and ms_deform_attn.
//
// Both operators compute, for each image b, query q and group g (a head of attention), a weighted sum over points:
//
//   output[b, q, g, :] = sum_p weight[b, q, g, p] * bilinear(maps[b, :, g, :], position(raw[b, q, g, p]))
//   position(raw)      = raw * gain[g, p] + bias[g, p] + origin(q)         in pixels, per axis
//
// over maps (B, S, G, D) with S pixels, raw positions (B, Q, G, P, 2), weights (B, Q, G, P) and output (B, Q, G, D).
// They differ in the tables gain, bias and origin, and in the map among the S pixels that a point belongs to.

#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace bev_ops {

// Integers as wide as the real numbers that they are computed from.
template <typename T>
using Integer = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Lanes of the widest vector; arrays over points are padded by as many, so that whole vectors can be loaded.
constexpr int64_t max_lanes = 16;

// Constants of each point: G * P entries, the groups being alike.
template <typename T>
struct PointTable {
  std::vector<T> gain_x, gain_y;            // raw units to pixels
  std::vector<T> bias_x, bias_y;            // in pixels
  std::vector<Integer<T>> width, height;    // size of the point's map, in pixels
  std::vector<Integer<T>> start;            // first pixel of the point's map

  explicit PointTable(int64_t points)
      : gain_x(points + max_lanes), gain_y(points + max_lanes), bias_x(points + max_lanes),
        bias_y(points + max_lanes), width(points + max_lanes), height(points + max_lanes), start(points + max_lanes) {}
};

// Where a query's window lies: query q is the output pixel (q / columns, q % columns).
template <typename T>
struct Origin {
  int64_t columns;
  T step_x, step_y;    // pixels from one output pixel to the next
  T first_x, first_y;  // pixels
};

template <typename T>
struct Sampling {
  int64_t images, queries, groups, points, depth, pixels;  // B, Q, G, P, D, S
  const T* maps;
  const T* raw;
  const T* weights;
  const PointTable<T>* table;
  Origin<T> origin;
};

template <typename T>
struct SamplingGradients {
  const T* output;  // given
  T* maps;          // computed, like the two below; comes zeroed
  T* raw;
  T* weights;
};

// Fills output (B, Q, G, D). Threads share the queries.
template <typename T>
void sample_forward(const Sampling<T>& sampling, T* output);

// Each thread owns some groups of some images: no atomics, and a result that doesn't depend on the number of threads.
template <typename T>
void sample_backward(const Sampling<T>& sampling, const SamplingGradients<T>& gradients);

}  // namespace bev_ops
