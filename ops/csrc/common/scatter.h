// Gradients of weighted sums over located points, in the namespace BEV_TARGET. No include guard: see kernels.h.

namespace bev_ops {
namespace BEV_TARGET {

// Adds the gradients of N channels' pixels, and sets the points' products or adds to them, for the points
// [first, first + points).
template <int N, bool Add, typename Pixels, typename Targets, typename A>
BEV_INLINE void scatter(const Pixels& pixels, const Targets& targets, const Scratch<A>& at, int64_t first,
                        int64_t points, int64_t channel, const A* grad_output) {
  constexpr int lanes = lanes_for<A, N>();
  constexpr int vectors = N / lanes;
  using W = Vector<A, lanes>;
  W grad[vectors];
  BEV_UNROLL for (int k = 0; k < vectors; ++k) grad[k] = load<W>(grad_output + k * lanes);
  const A* const coefficients = at.coefficients;
  A* const sums = at.products;
  for (int64_t i = first; i < first + points; ++i) {
    W products[4];
    const auto pixel_of = pixels(i);
    const Corners<A*> target_of = targets(i);
    BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
      const A weight = coefficients[4 * i + corner];  // shuffles are for the sums of lanes here
      const auto* pixel = pixel_of.of[corner] + channel;
      A* target = target_of.of[corner] + channel;
      products[corner] = grad[0] * load<W>(pixel);
      BEV_UNROLL for (int k = 1; k < vectors; ++k) products[corner] += grad[k] * load<W>(pixel + k * lanes);
      BEV_UNROLL for (int k = 0; k < vectors; ++k) {
        store(target + k * lanes, load<W>(target + k * lanes) + weight * grad[k]);
      }
    }
    add_lanes<Add, A, lanes>(products, sums + 4 * i);
  }
}

// All channels of a group, as in `gather_group`. Without a `Depth` the products start from what they are.
template <int Depth, int N = 64, typename Pixels, typename Targets, typename A>
BEV_INLINE void scatter_group(const Pixels& pixels, const Targets& targets, const Scratch<A>& at, int64_t first,
                              int64_t points, int64_t channel, int64_t depth, const A* grad_output) {
  if constexpr (Depth > 0) {
    scatter<Depth, false>(pixels, targets, at, first, points, 0, grad_output);
  } else {
    for (; depth - channel >= N; channel += N) {
      scatter<N, true>(pixels, targets, at, first, points, channel, grad_output + channel);
    }
    if constexpr (N > 1) {
      scatter_group<Depth, N / 2>(pixels, targets, at, first, points, channel, depth, grad_output);
    }
  }
}

// Sets the gradients of raw positions and weights or adds to them, from the products of the output's gradient with the
// corners.
template <bool Add, typename A>
BEV_INLINE void differentiate(const PointTable<A>& table, const A* weights, A scale, int64_t entry, int64_t count,
                              const Scratch<A>& at, A* grad_raw, A* grad_weights) {
  using Reals = typename Full<A>::Reals;
  constexpr int lanes = Full<A>::lanes;
  constexpr auto all = Full<A>::all;
  for (int64_t i = 0; i < count; i += lanes) {
    const A* products = at.products + 4 * i;
    const Reals a = load<Reals>(products), b = load<Reals>(products + lanes);
    const Reals c = load<Reals>(products + 2 * lanes), d = load<Reals>(products + 3 * lanes);
    // Four products per point to one vector per corner.
    const Reals left_0 = every_second<A, 0>(a, b, all), left_1 = every_second<A, 0>(c, d, all);
    const Reals right_0 = every_second<A, 1>(a, b, all), right_1 = every_second<A, 1>(c, d, all);
    const Reals top_left = every_second<A, 0>(left_0, left_1, all);
    const Reals top_right = every_second<A, 0>(right_0, right_1, all);
    const Reals bottom_left = every_second<A, 1>(left_0, left_1, all);
    const Reals bottom_right = every_second<A, 1>(right_0, right_1, all);

    const Reals x = load<Reals>(at.fraction_x + i), y = load<Reals>(at.fraction_y + i);
    const Reals weight = load<Reals>(weights + i) * scale;
    const Reals top_slope = top_right - top_left, bottom_slope = bottom_right - bottom_left;
    const Reals top = top_left + x * top_slope, bottom = bottom_left + x * bottom_slope;
    const Reals grad_x = (top_slope + y * (bottom_slope - top_slope)) * weight * load<Reals>(&table.gain_x[entry + i]);
    const Reals grad_y = (bottom - top) * weight * load<Reals>(&table.gain_y[entry + i]);
    A *to_weights = grad_weights + i, *to_raw = grad_raw + 2 * i;
    const auto save = [](A* to, const Reals& value) { store(to, Add ? load<Reals>(to) + value : value); };
    save(to_weights, (top + y * (bottom - top)) * scale);
    save(to_raw, interleave<A, 0>(grad_x, grad_y, all));
    save(to_raw + lanes, interleave<A, 1>(grad_x, grad_y, all));
  }
}

// Gradients of `groups` groups, from `group` on, of one query that looks at one map. The scratch arrays of gradients
// hold these groups only.
template <int Depth, typename V, typename A>
BEV_INLINE void look_back(const Sampling<V>& s, int64_t item, int64_t row, int64_t group, int64_t groups,
                          const Aim<A>& aim, const Scratch<A>& at, const A* grad_output, A* grad_maps) {
  const int64_t image = row * s.pixels * s.groups * s.depth;
  const Bases<V> bases{s.maps + image, grad_maps + image};
  const int64_t count = groups * s.points, entry = group * s.points, point = item * s.groups * s.points + entry;
  const A* raw = fetch(s.raw, 2 * point, 2 * count, at.raw);
  const A* weights = fetch(s.weights, point, count, at.weights);
  locate<true>(s, raw, weights, aim, bases, entry, count, at);
  if constexpr (Depth == 0) clear(at.products, 4 * count);
  const ByAddress<const V> pixels{corners(at.address)};
  const ByAddress<A> targets{corners(at.target)};
  for (int64_t g = 0; g < groups; ++g) {
    scatter_group<Depth>(pixels, targets, at, g * s.points, s.points, 0, s.depth, grad_output + g * s.depth);
  }
  differentiate<true>(*s.table, weights, aim.scale, entry, count, at, at.grad_raw, at.grad_weights);
}

template <int Depth, typename V, typename A>
void backward(const Sampling<V>& s, const Task& task, const Scratch<A>& at, const SamplingGradients<V>& gradients,
              A* grad_maps) {
  const int64_t channels = s.groups * s.depth;
  for (int64_t query = task.first_query; query < task.last_query; ++query) {
    const int64_t item = task.image * s.queries + query;
    const Rows rows = rows_of(s, task.image, query);
    for (int64_t group = task.first_group; group < task.last_group; group += at.groups) {
      const int64_t groups = at.groups < task.last_group - group ? at.groups : task.last_group - group;
      const int64_t count = groups * s.points, point = (item * s.groups + group) * s.points;
      const V* given = gradients.output + item * channels + group * s.depth;
      convert<A>(at.grad_output, given, groups * s.depth);
      clear(at.grad_raw, 2 * count);
      clear(at.grad_weights, count);
      for (int64_t row = rows.first; row < rows.last; ++row) {
        if (!sees(s, row, query)) continue;
        look_back<Depth>(s, item, row, group, groups, aim(s, rows, row, query, at), at, at.grad_output, grad_maps);
      }
      put(gradients.raw, s.raw.type, 2 * point, 2 * count, at.grad_raw);
      put(gradients.weights, s.weights.type, point, count, at.grad_weights);
    }
  }
}

template <typename V, typename A>
void add_up(const A* copies, int64_t count, int64_t stride, int64_t begin, int64_t end, V* output) {
  constexpr int lanes = Full<A>::lanes;
  using W = typename Full<A>::Reals;
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    W sum = load<W>(copies + i);
    for (int64_t copy = 1; copy < count; ++copy) sum += load<W>(copies + copy * stride + i);
    store(output + i, sum);
  }
  for (; i < end; ++i) {
    using One = Vector<A, 1>;
    One sum = load<One>(copies + i);
    for (int64_t copy = 1; copy < count; ++copy) sum += load<One>(copies + copy * stride + i);
    store(output + i, sum);
  }
}

}  // namespace BEV_TARGET
}  // namespace bev_ops
