// Sampling from a copy of some groups' maps, in the namespace BEV_TARGET. No include guard: see kernels.h.
//
// In the maps as they come, a group's pixels are as far apart as all channels of a pixel are long, often a power of
// two: they then share a few lines of the first cache and push each other out, however small the maps are. The copy has
// each group's pixels side by side, in the compute type, and zeros around the map, so that a point is one offset. In a
// backward pass it has a gradient beside it that no other task adds to. Sampling<A> here is of the copies: what the
// maps and the output are stored as is known at run time only, so that all storage types share this code.

namespace bev_ops {
namespace BEV_TARGET {

// Calls `visit(pixel of the plane, element of the image)` for each pixel of a task's group `g`.
template <typename A, typename Visit>
BEV_INLINE void for_pixels(const Sampling<A>& s, const Task& task, int64_t g, const Visit& visit) {
  const Plane plane = plane_of(s);
  const int64_t channels = s.groups * s.depth;
  int64_t from = task.image * s.pixels * channels + (task.first_group + g) * s.depth;
  int64_t to = g * plane.pixels + plane.origin;
  for (int64_t y = 0; y < s.pixels; y += s.width, to += plane.width) {
    for (int64_t x = 0; x < s.width; ++x, from += channels) visit(to + x, from);
  }
}

// Copies the maps of a task into their planes, whose margins are zero already.
template <int Depth, typename A>
BEV_INLINE void copy_in(const Sampling<A>& s, const Task& task, const Stored& stored, A* planes) {
  const int64_t depth = Depth > 0 ? Depth : s.depth;
  as_stored<A>(stored.maps, stored.type, [&](const auto* maps) {
    for (int64_t g = 0; g < task.last_group - task.first_group; ++g) {
      for_pixels(s, task, g, [&](int64_t pixel, int64_t from) {
        convert<A>(planes + pixel * depth, maps + from, depth);
      });
    }
  });
}

// Rounds the gradient of a task's maps to where it belongs.
template <int Depth, typename A>
BEV_INLINE void copy_out(const Sampling<A>& s, const Task& task, const A* planes, Storage type, void* grad_maps) {
  const int64_t depth = Depth > 0 ? Depth : s.depth;
  for (int64_t g = 0; g < task.last_group - task.first_group; ++g) {
    for_pixels(s, task, g, [&](int64_t pixel, int64_t to) {
      put<A>(grad_maps, type, to, depth, planes + pixel * depth);
    });
  }
}

// Pixels of a plane around a point.
template <int Depth, typename T, typename A>
struct InPlane {
  T* origin;
  const Integer<A>* offset;
  int64_t depth, row;

  BEV_INLINE Corners<T*> operator()(int64_t i) const {
    T* const upper = origin + offset[i];
    T* const lower = upper + row;
    const int64_t column = Depth > 0 ? Depth : depth;
    return {{upper, upper + column, lower, lower + column}};
  }
};

// Offsets from the map's first pixel, and coefficients, of `count` points whose constants start at table entry `entry`.
template <int Depth, bool Backward, typename A>
BEV_INLINE void locate_in_plane(const Sampling<A>& s, const A* raw, const A* weights, const Aim<A>& aim, int64_t entry,
                                int64_t count, const Scratch<A>& at) {
  using Reals = typename Full<A>::Reals;
  using Integers = typename Full<A>::Integers;
  const Reals width = Reals{} + static_cast<A>(s.width), height = Reals{} + static_cast<A>(s.pixels / s.width);
  const Reals row = width + 2;
  const Reals low = width - row;  // -2; GCC finds the instruction for a maximum only if that is a variable
  const auto depth = static_cast<Integer<A>>(Depth > 0 ? Depth : s.depth);
  for (int64_t i = 0; i < count; i += Full<A>::lanes) {
    auto [x, y] = places(*s.table, raw, aim, entry, i);
    x = x > low ? x : low;  // and NaN
    y = y > low ? y : low;
    x = x < width ? x : width;
    y = y < height ? y : height;
    const Reals left = floor_of<A>(x), top = floor_of<A>(y);
    store_bits(at.offset[0] + i, __builtin_convertvector(top * row + left, Integers) * depth);
    share<Backward, A>(load<Reals>(weights + i) * aim.scale, x - left, y - top, i, at);
  }
}

// Calls `visit` for the queries of a task, with as many groups at a time as the scratch arrays hold, once their points
// are located: visit(item, first group, groups, weights, aim).
template <int Depth, bool Backward, typename A, typename Visit>
BEV_INLINE void for_located(const Sampling<A>& s, const Task& task, const Scratch<A>& at, const Visit& visit) {
  int64_t column = task.first_query % s.origin.columns, row = task.first_query / s.origin.columns;
  for (int64_t query = task.first_query; query < task.last_query; ++query) {
    const int64_t item = task.image * s.queries + query;
    const Aim<A> aim = aim_at(s, column, row);
    if (++column == s.origin.columns) column = 0, ++row;
    for (int64_t group = task.first_group; group < task.last_group; group += at.groups) {
      const int64_t groups = at.groups < task.last_group - group ? at.groups : task.last_group - group;
      const int64_t count = groups * s.points, point = (item * s.groups + group) * s.points;
      const A* raw = fetch(s.raw, 2 * point, 2 * count, at.raw);
      const A* weights = fetch(s.weights, point, count, at.weights);
      locate_in_plane<Depth, Backward>(s, raw, weights, aim, group * s.points, count, at);
      visit(item, group, groups, weights, aim);
    }
  }
}

// Works on copies of the sampling and of the scratch's pointers, into which no store of the loops can go.
template <int Depth, typename A>
void forward_block(const Sampling<A>& sampling, const Stored& stored, const Task& task, const Scratch<A>& scratch,
                   const Block<A>& block, void* output) {
  const Sampling<A> s = sampling;
  const Scratch<A> at = scratch;
  const Plane plane = plane_of(s);
  copy_in<Depth>(s, task, stored, block.maps);
  for_located<Depth, false>(s, task, at, [&](int64_t item, int64_t group, int64_t groups, const A*, const Aim<A>&) {
    const int64_t to = (item * s.groups + group) * s.depth, first = (group - task.first_group) * plane.pixels;
    const bool in_place = stored.type == storage_type<A>;
    A* sums = in_place ? static_cast<A*>(output) + to : at.sums;
    InPlane<Depth, const A, A> pixels{block.maps + (first + plane.origin) * s.depth, at.offset[0], s.depth,
                                      plane.width * s.depth};
    for (int64_t g = 0; g < groups; ++g) {
      gather_group<Depth>(pixels, at, g * s.points, s.points, 0, s.depth, false, sums + g * s.depth);
      pixels.origin += plane.pixels * s.depth;
    }
    if (!in_place) put(output, stored.type, to, groups * s.depth, sums);
  });
}

// What a backward pass reads and writes of a query's groups lies in pieces of a few lines, far apart: the processor
// doesn't guess which ones come next, and a store whose line is missing holds up all stores behind it. So each query
// fetches what the next one reads and what it will write itself, before it turns to its points, which take long enough.
template <typename A>
BEV_INLINE void prefetch_gradients(const Sampling<A>& s, const StoredGradients& gradients, Storage type, int64_t item,
                                   int64_t group, int64_t groups) {
  const int64_t count = groups * s.points, here = item * s.groups + group, next = here + s.groups;
  if (next < s.images * s.queries * s.groups) {
    prefetch<false, A>(s.raw.data, s.raw.type, 2 * next * s.points, 2 * count);
    prefetch<false, A>(s.weights.data, s.weights.type, next * s.points, count);
    prefetch<false, A>(gradients.output, type, next * s.depth, groups * s.depth);
  }
  prefetch<true, A>(gradients.raw, s.raw.type, 2 * here * s.points, 2 * count);
  prefetch<true, A>(gradients.weights, s.weights.type, here * s.points, count);
}

template <int Depth, typename A>
void backward_block(const Sampling<A>& s, const Stored& stored, const Task& task, const Scratch<A>& at,
                    const Block<A>& block, const StoredGradients& gradients) {
  const Plane plane = plane_of(s);
  copy_in<Depth>(s, task, stored, block.maps);
  clear(block.grad_maps, (task.last_group - task.first_group) * plane.pixels * s.depth);
  for_located<Depth, true>(
      s, task, at, [&](int64_t item, int64_t group, int64_t groups, const A* weights, const Aim<A>& aim) {
        const int64_t count = groups * s.points, point = (item * s.groups + group) * s.points;
        const int64_t first = ((group - task.first_group) * plane.pixels + plane.origin) * s.depth;
        InPlane<Depth, const A, A> pixels{block.maps + first, at.offset[0], s.depth, plane.width * s.depth};
        InPlane<Depth, A, A> targets{block.grad_maps + first, at.offset[0], s.depth, plane.width * s.depth};
        get(at.grad_output, gradients.output, stored.type, (item * s.groups + group) * s.depth, groups * s.depth);
        prefetch_gradients(s, gradients, stored.type, item, group, groups);
        if constexpr (Depth == 0) clear(at.products, 4 * count);
        for (int64_t g = 0; g < groups; ++g) {
          const A* grad_output = at.grad_output + g * s.depth;
          scatter_group<Depth>(pixels, targets, at, g * s.points, s.points, 0, s.depth, grad_output);
          pixels.origin += plane.pixels * s.depth;
          targets.origin += plane.pixels * s.depth;
        }
        differentiate<false>(*s.table, weights, aim.scale, group * s.points, count, at, at.grad_raw, at.grad_weights);
        put(gradients.raw, s.raw.type, 2 * point, 2 * count, at.grad_raw);
        put(gradients.weights, s.weights.type, point, count, at.grad_weights);
      });
  copy_out<Depth>(s, task, block.grad_maps, stored.type, gradients.maps);
}

}  // namespace BEV_TARGET
}  // namespace bev_ops
