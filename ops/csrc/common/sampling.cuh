// Deformable sampling on a CUDA device: the kernels of all operators. See sampling.h for what they compute.
//
// A team of threads of one warp works on one group of one query. Each thread locates every team-size-th point and leaves
// coefficients and corners in shared memory; then all threads go through these points, each for its channels, 16 bytes
// at a time. So positions and weights are read once, and a point is located once. The backward kernel adds to the maps'
// gradient with atomics, in float32 or float64; the other gradients are sums over the team and are written once.

#pragma once

#include "common/points.cuh"

namespace bev_ops {

constexpr int block_threads = 256;

template <typename V, typename R>
struct DeviceSampling {
  int64_t items;                  // B * Q * G
  Divisor by_queries, by_groups;  // Q, G
  int64_t groups, depth, pixels;  // G, D, S
  int points;                     // P
  const V* maps;                  // (rows, S, G, D)
  const R *raw, *weights;         // (B, Q, G, P, 2) and (B, Q, G, P)
};

template <typename V, typename R>
struct DeviceGradients {
  const V* output;
  ComputeType<V>* maps;  // zeroed before
  R *raw, *weights;
};

// A point that its thread has located, for the whole team.
template <typename A>
struct Located {
  A weight[4];      // of the corners top left, top right, bottom left, bottom right
  int64_t element;  // first one of the group's channels at the top left corner, which may lie outside
  int64_t below;    // elements to the corner below
  unsigned inside;  // bit per corner that is a pixel
};

// The same point, for its thread only.
template <typename A>
struct Own {
  A x, y, weight;        // as read
  A fraction_x, fraction_y;
  A scale_x, scale_y;    // derivatives of the position
  A grad_x, grad_y, grad_weight;
};

// One group of one query.
struct Item {
  int64_t image, query, group;
  Span rows;
  int seen;
};

template <typename V, typename R, typename Points>
__device__ inline Item item_at(int64_t index, const DeviceSampling<V, R>& s, const Points& points) {
  const int64_t queries_before = s.by_groups.quotient(index);
  Item item{s.by_queries.quotient(queries_before), s.by_queries.remainder(queries_before), s.by_groups.remainder(index),
            {0, 0}, 0};
  item.rows = points.rows(item.image);
  for (int64_t row = item.rows.first; row < item.rows.last; ++row) item.seen += points.sees(row, item.query);
  return item;
}

template <typename A, typename R>
__device__ inline Own<A> own_point(const R* raw, const R* weights, int64_t index, bool exists) {
  Own<A> own{};
  if (!exists) return own;
  A position[2];
  read<2>(raw + 2 * index, position);
  own.x = position[0];
  own.y = position[1];
  own.weight = read(weights + index);
  return own;
}

template <typename V, typename R, typename A>
__device__ inline Located<A> locate(const DeviceSampling<V, R>& s, const Placed<A>& placed, int64_t row, int64_t group,
                                    A scale, Own<A>* own) {
  const A x = own->x * placed.gain_x + placed.bias_x, y = own->y * placed.gain_y + placed.bias_y;
  const A width = static_cast<A>(placed.width), height = static_cast<A>(placed.height);
  Located<A> at{};
  // False for NaN, too. Gradients of positions on pixels' centres are those to the right and below: those at -1 aren't 0.
  if (!(placed.width > 0 && x >= -1 && x < width && y >= -1 && y < height)) return at;
  const A left = floor(x), top = floor(y);
  own->fraction_x = x - left;
  own->fraction_y = y - top;
  own->scale_x = placed.gain_x * own->weight * scale;
  own->scale_y = placed.gain_y * own->weight * scale;
  const int64_t column = static_cast<int64_t>(left), line = static_cast<int64_t>(top);
  const bool is_left = column >= 0, is_right = column < placed.width - 1;
  const bool is_top = line >= 0, is_bottom = line < placed.height - 1;
  at.inside = (is_top && is_left) | (is_top && is_right) << 1 | (is_bottom && is_left) << 2 | (is_bottom && is_right) << 3;
  const A weight = own->weight * scale, lower = weight * own->fraction_y, upper = weight - lower;
  at.weight[1] = upper * own->fraction_x;
  at.weight[0] = upper - at.weight[1];
  at.weight[3] = lower * own->fraction_x;
  at.weight[2] = lower - at.weight[3];
  const int64_t pixel = row * s.pixels + placed.first + line * placed.width + column;
  at.element = (pixel * s.groups + group) * s.depth;
  at.below = placed.width * s.groups * s.depth;
  return at;
}

// First element of a corner's channels of the item's group.
template <typename V, typename R, typename A>
__device__ inline int64_t corner_at(const DeviceSampling<V, R>& s, const Located<A>& at, int corner) {
  return at.element + (corner % 2 ? s.groups * s.depth : 0) + (corner >= 2 ? at.below : 0);
}

// Adds a point's share to the sums of the thread's channels.
template <int N, typename V, typename R, typename A>
__device__ inline void gather(const DeviceSampling<V, R>& s, const Located<A>& at, int64_t channel, A (&sums)[N]) {
#pragma unroll
  for (int corner = 0; corner < 4; ++corner) {
    if (!(at.inside >> corner & 1)) continue;
    A numbers[N];
    read<N>(s.maps + corner_at(s, at, corner) + channel, numbers);
#pragma unroll
    for (int k = 0; k < N; ++k) sums[k] += at.weight[corner] * numbers[k];
  }
}

template <int N, typename V, typename R, typename Points>
__global__ void __launch_bounds__(block_threads, 3)
    forward_kernel(DeviceSampling<V, R> s, Points points, int team_size, V* output) {
  using A = ComputeType<V>;
  __shared__ Located<A> staged[block_threads];
  const Team team(team_size);
  Located<A>* mine = staged + threadIdx.x;
  const Located<A>* all = mine - team.rank;
  const int64_t teams = blockDim.x / team.size;
  for (int64_t index = blockIdx.x * teams + threadIdx.x / team.size; index < s.items; index += gridDim.x * teams) {
    const Item item = item_at(index, s, points);
    const A scale = A(1) / static_cast<A>(item.seen > 0 ? item.seen : 1);
    for (int64_t start = 0; start < s.depth; start += team.size * N) {
      const int64_t channel = start + team.rank * N;
      A sums[N] = {};
      for (int base = 0; base < s.points; base += team.size) {
        const int point = base + team.rank, count = min(team.size, s.points - base);
        const bool exists = point < s.points;
        Own<A> own = own_point<A>(s.raw, s.weights, index * s.points + point, exists);
        for (int64_t row = item.rows.first; row < item.rows.last; ++row) {
          if (!points.sees(row, item.query)) continue;
          team.sync();  // the points before are used up
          if (exists) *mine = locate(s, points.place(row, item.query, point), row, item.group, scale, &own);
          team.sync();
          for (int i = 0; i < count && channel < s.depth; ++i) gather<N>(s, all[i], channel, sums);
        }
      }
      if (channel < s.depth) write<N>(output + index * s.depth + channel, sums);
    }
  }
}

// Adds a point's share to the maps' gradient, and returns the products of corners and output's gradient over the
// thread's channels.
template <int N, typename V, typename R, typename A>
__device__ inline void scatter(const DeviceSampling<V, R>& s, const DeviceGradients<V, R>& gradients, int64_t index,
                               const Located<A>& at, const Team& team, A (&products)[4]) {
  for (int64_t channel = team.rank * N; channel < s.depth; channel += team.size * N) {
    A grad[N];
    read<N>(gradients.output + index * s.depth + channel, grad);
#pragma unroll
    for (int corner = 0; corner < 4; ++corner) {
      if (!(at.inside >> corner & 1)) continue;
      const int64_t element = corner_at(s, at, corner) + channel;
      A numbers[N];
      read<N>(s.maps + element, numbers);
#pragma unroll
      for (int k = 0; k < N; ++k) products[corner] += grad[k] * numbers[k];
      add<N>(gradients.maps + element, at.weight[corner], grad);
    }
  }
}

// Derivatives of a point's weight and position from its products.
template <typename A>
__device__ inline void differentiate(const A (&products)[4], A scale, Own<A>* own) {
  const A top_slope = products[1] - products[0], bottom_slope = products[3] - products[2];
  const A top = products[0] + own->fraction_x * top_slope, bottom = products[2] + own->fraction_x * bottom_slope;
  own->grad_weight += (top + own->fraction_y * (bottom - top)) * scale;
  own->grad_x += (top_slope + own->fraction_y * (bottom_slope - top_slope)) * own->scale_x;
  own->grad_y += (bottom - top) * own->scale_y;
}

template <int N, typename V, typename R, typename Points>
__global__ void __launch_bounds__(block_threads, 2)
    backward_kernel(DeviceSampling<V, R> s, Points points, int team_size, DeviceGradients<V, R> gradients) {
  using A = ComputeType<V>;
  __shared__ Located<A> staged[block_threads];
  const Team team(team_size);
  Located<A>* mine = staged + threadIdx.x;
  const Located<A>* all = mine - team.rank;
  const int64_t teams = blockDim.x / team.size;
  for (int64_t index = blockIdx.x * teams + threadIdx.x / team.size; index < s.items; index += gridDim.x * teams) {
    const Item item = item_at(index, s, points);
    const A scale = A(1) / static_cast<A>(item.seen > 0 ? item.seen : 1);
    for (int base = 0; base < s.points; base += team.size) {
      const int point = base + team.rank, count = min(team.size, s.points - base);
      const bool exists = point < s.points;
      Own<A> own = own_point<A>(s.raw, s.weights, index * s.points + point, exists);
      for (int64_t row = item.rows.first; row < item.rows.last; ++row) {
        if (!points.sees(row, item.query)) continue;
        team.sync();
        if (exists) *mine = locate(s, points.place(row, item.query, point), row, item.group, scale, &own);
        team.sync();
        for (int i = 0; i < count; ++i) {
          const Located<A> at = all[i];
          if (at.inside == 0) continue;  // the same for the whole team
          A products[4] = {};
          scatter<N>(s, gradients, index, at, team, products);
#pragma unroll
          for (int corner = 0; corner < 4; ++corner) products[corner] = team.sum(products[corner]);
          if (i == team.rank) differentiate(products, scale, &own);
        }
      }
      if (!exists) continue;
      const A position[2] = {own.grad_x, own.grad_y}, weight[1] = {own.grad_weight};
      write<2>(gradients.raw + 2 * (index * s.points + point), position);
      write<1>(gradients.weights + index * s.points + point, weight);
    }
  }
}

// Threads that a group of `depth` channels keeps busy when each takes N of them.
inline int team_size_for(int64_t depth, int numbers) {
  int size = 1;
  while (size < 32 && size * numbers < depth) size *= 2;
  return size;
}

}  // namespace bev_ops
