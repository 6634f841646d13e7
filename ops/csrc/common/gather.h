// Weighted sums over located points, in the namespace BEV_TARGET. There is no include guard: see kernels.h.

namespace bev_ops {
namespace BEV_TARGET {

// Sum of N channels, from `channel` of their group on, over the points [first, first + points).
template <typename V, int N, typename A>
BEV_INLINE void gather(const Scratch<A>& at, int64_t first, int64_t points, int64_t channel, bool add, A* sums) {
  constexpr int lanes = lanes_for<A, N>();
  constexpr int vectors = N / lanes;
  // Several sums side by side hide the latency of the additions.
  constexpr int chains = vectors >= 8 ? 1 : vectors >= 4 ? 2 : 4;
  using W = Vector<A, lanes>;
  W partial[chains][vectors];
  BEV_UNROLL for (int k = 0; k < chains * vectors; ++k) partial[k / vectors][k % vectors] = W{};
  for (int64_t i = first; i < first + points; ++i) {
    BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
      const A weight = at.weight[corner][i];
      const V* pixel = reinterpret_cast<const V*>(at.address[corner][i]) + channel;
      BEV_UNROLL for (int k = 0; k < vectors; ++k) partial[corner % chains][k] += weight * load<W>(pixel + k * lanes);
    }
  }
  BEV_UNROLL for (int k = 0; k < vectors; ++k) {
    W sum = partial[0][k];
    BEV_UNROLL for (int chain = 1; chain < chains; ++chain) sum += partial[chain][k];
    if (add) sum += load<W>(sums + k * lanes);
    store(sums + k * lanes, sum);
  }
}

// All channels of a group: `Depth` of them, or if that is 0, `depth`: N at a time while there are as many, then fewer.
template <typename V, int Depth, int N = 64, typename A>
BEV_INLINE void gather_group(const Scratch<A>& at, int64_t first, int64_t points, int64_t channel, int64_t depth,
                             bool add, A* sums) {
  if constexpr (Depth > 0) {
    gather<V, Depth>(at, first, points, 0, add, sums);
  } else {
    for (; depth - channel >= N; channel += N) gather<V, N>(at, first, points, channel, add, sums + channel);
    if constexpr (N > 1) gather_group<V, Depth, N / 2>(at, first, points, channel, depth, add, sums);
  }
}

// What query `query` of an image sees in one map, added to `sums` (all channels) or put there.
template <int Depth, typename V, typename A>
BEV_INLINE void look(const Sampling<V>& s, int64_t item, int64_t row, const Aim<A>& aim, const Scratch<A>& at, bool add,
                     A* sums) {
  const Bases<V> bases{s.maps + row * s.pixels * s.groups * s.depth, nullptr};
  for (int64_t group = 0; group < s.groups; group += at.groups) {
    const int64_t groups = at.groups < s.groups - group ? at.groups : s.groups - group;
    const int64_t count = groups * s.points, entry = group * s.points, point = item * s.groups * s.points + entry;
    const A* raw = fetch(s.raw, 2 * point, 2 * count, at.raw);
    const A* weights = fetch(s.weights, point, count, at.weights);
    locate<false>(s, raw, weights, aim, bases, entry, count, at);
    for (int64_t g = 0; g < groups; ++g) {
      gather_group<V, Depth>(at, g * s.points, s.points, 0, s.depth, add, sums + (group + g) * s.depth);
    }
  }
}

template <int Depth, typename V, typename A>
void forward(const Sampling<V>& s, int64_t begin, int64_t end, const Scratch<A>& at, V* output) {
  const int64_t channels = s.groups * s.depth;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t image = item / s.queries, query = item % s.queries;
    const Rows rows = rows_of(s, image, query);
    A* sums = at.sums;
    if constexpr (sizeof(V) == sizeof(A)) sums = output + item * channels;
    if (rows.seen == 0) {
      for (int64_t c = 0; c < channels; ++c) sums[c] = 0;
    }
    bool add = false;
    for (int64_t row = rows.first; row < rows.last; ++row) {
      if (!sees(s, row, query)) continue;
      look<Depth>(s, item, row, aim(s, rows, row, query, at), at, add, sums);
      add = true;
    }
    if constexpr (sizeof(V) != sizeof(A)) convert<A>(output + item * channels, sums, channels);
  }
}

}  // namespace BEV_TARGET
}  // namespace bev_ops
