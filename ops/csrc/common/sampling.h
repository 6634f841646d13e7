// Deformable sampling on the CPU, the common core of dcnv3, ms_deform_attn and bev_cross_attention.
//
// All of them compute, for each image b, query q and group g (a head of attention), a weighted sum over points:
//
//   output[b, q, g, :] = sum_p weight[b, q, g, p] * bilinear(maps[b, :, g, :], position(raw[b, q, g, p]))
//   position(raw)      = raw * gain[g, p] + bias[g, p] + origin(q)         in pixels, per axis
//
// over maps (B, S, G, D) with S pixels, raw positions (B, Q, G, P, 2), weights (B, Q, G, P) and output (B, Q, G, D).
// They differ in the tables gain, bias and origin, and in the map among the S pixels that a point belongs to.
// bev_cross_attention moreover looks at several maps per query, its views, and takes their mean; bias then depends on
// the view and the query.

#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "common/storage.h"

namespace bev_ops {

// Integers as wide as the real numbers that they are computed from.
template <typename A>
using Integer = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;

// Lanes of the widest vector; arrays over points are padded by as many, so that whole vectors can be loaded.
constexpr int64_t max_lanes = 16;

// Constants of each point: G * P entries, the groups being alike but for their channels.
template <typename A>
struct PointTable {
  std::vector<A> gain_x, gain_y;          // raw units to pixels
  std::vector<A> bias_x, bias_y;          // in pixels
  std::vector<Integer<A>> width, height;  // size of the point's map, in pixels
  std::vector<int64_t> first;             // element of the image at which the group's part of the map starts
  std::vector<int64_t> row;               // elements from one row of the map to the next
  std::vector<Integer<A>> offset;         // `first` in fewer bits, for images of which no element needs more

  explicit PointTable(int64_t points)
      : gain_x(points + max_lanes), gain_y(points + max_lanes), bias_x(points + max_lanes),
        bias_y(points + max_lanes), width(points + max_lanes), height(points + max_lanes), first(points + max_lanes),
        row(points + max_lanes), offset(points + max_lanes) {}

  // Whether elements of an image with so many of them can be numbered by `offset`.
  static bool fits(int64_t elements) { return elements <= std::numeric_limits<Integer<A>>::max(); }
};

// Where a query's window lies: query q is the output pixel (q / columns, q % columns).
template <typename A>
struct Origin {
  int64_t columns;
  A step_x, step_y;    // pixels from one output pixel to the next
  A first_x, first_y;  // pixels
};

// What lets a query look at several maps: image b owns the maps [splits[b], splits[b + 1]).
template <typename A>
struct Views {
  const int64_t* splits;  // (B + 1)
  const A* anchors;       // (maps, Q, Z, 2), x and y as fractions of the map; point p starts from anchor p % Z
  const bool* visible;    // (maps, Q)
  int64_t count;          // Z
  int64_t points;         // points of one level: P of the operator
};

// Positions or weights, stored as `type`.
struct Coordinates {
  const void* data;
  Storage type;
  int64_t numel;
};

template <typename V>
struct Sampling {
  using A = ComputeType<V>;
  int64_t images, queries, groups, points, depth, pixels;  // B, Q, G, P, D, S
  const V* maps;
  Coordinates raw, weights;
  const PointTable<A>* table;
  Origin<A> origin;
  const Views<A>* views;  // null where query q of image b sees map b and nothing else
  int64_t width;          // pixels in a row, where neighbouring queries look at neighbouring pixels of one map; else 0
};

// Gradients of raw positions and weights are of the type of what they belong to.
template <typename V>
struct SamplingGradients {
  const V* output;  // given
  V* maps;          // computed, like the two below
  void* raw;
  void* weights;
};

// Fills output (B, Q, G, D). Threads share the queries.
template <typename V>
void sample_forward(const Sampling<V>& sampling, V* output);

// Number of private copies of the maps' gradient that `sample_backward` needs for this many threads, at most 4; 0 if it
// can work in the gradient itself.
template <typename V>
int64_t backward_copies(const Sampling<V>& sampling);

// Each task owns some groups of some images, and where those are fewer than the threads, a part of the queries and a
// copy of the maps' gradient: no atomics, and a result that is the same in each run with as many threads.
//
// `copies` holds `backward_copies` arrays like the maps' gradient, zeroed, which are added up in order and rounded
// once; null where there are none.
template <typename V>
void sample_backward(const Sampling<V>& sampling, const SamplingGradients<V>& gradients, int64_t maps_numel,
                     ComputeType<V>* copies);

}  // namespace bev_ops
