// Weighted sums over located points, in the namespace BEV_TARGET. There is no include guard: see kernels.h.

namespace bev_ops {
namespace BEV_TARGET {

// A value for each corner: top left, top right, bottom left, bottom right.
template <typename T>
struct Corners {
  T of[4];
};

// The coefficients of a point's corners, each in all lanes. Four broadcasts from memory would take as many loads as the
// pixels themselves; shuffles within quarters of a register don't compete with those.
template <typename W, typename A>
BEV_INLINE Corners<W> spread(const A* coefficients) {
#ifdef BEV_HAS_AVX512
  if constexpr (sizeof(A) == 4 && sizeof(W) == 64) {
    const __m512 four = _mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(coefficients));
    return {{bits_as<W>(_mm512_maskz_permute_ps(0xffff, four, 0x00)),
             bits_as<W>(_mm512_maskz_permute_ps(0xffff, four, 0x55)),
             bits_as<W>(_mm512_maskz_permute_ps(0xffff, four, 0xaa)),
             bits_as<W>(_mm512_maskz_permute_ps(0xffff, four, 0xff))}};
  }
#endif
#ifdef BEV_HAS_F16C
  if constexpr (sizeof(A) == 4 && sizeof(W) == 32) {
    const __m128 once = _mm_loadu_ps(coefficients);
    const __m256 four = _mm256_set_m128(once, once);
    return {{bits_as<W>(_mm256_permute_ps(four, 0x00)), bits_as<W>(_mm256_permute_ps(four, 0x55)),
             bits_as<W>(_mm256_permute_ps(four, 0xaa)), bits_as<W>(_mm256_permute_ps(four, 0xff))}};
  }
#endif
  return {{coefficients[0] - W{}, coefficients[1] - W{}, coefficients[2] - W{}, coefficients[3] - W{}}};
}

// Pointers as values of their own, which no store through one of them can change.
template <typename T>
BEV_INLINE Corners<T*> corners(T* const (&from)[4]) {
  return {{from[0], from[1], from[2], from[3]}};
}

// Pixels by address, as `locate` leaves them.
template <typename T>
struct ByAddress {
  Corners<uint64_t*> address;

  BEV_INLINE Corners<T*> operator()(int64_t i) const {
    Corners<T*> pixels;
    BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
      pixels.of[corner] = reinterpret_cast<T*>(address.of[corner][i]);
    }
    return pixels;
  }
};

// Pixels by offset, as `locate_near` leaves them.
template <typename T, typename A>
struct ByOffset {
  T* map;
  Corners<Integer<A>*> offset;

  BEV_INLINE Corners<T*> operator()(int64_t i) const {
    Corners<T*> pixels;
    BEV_UNROLL for (int corner = 0; corner < 4; ++corner) pixels.of[corner] = map + offset.of[corner][i];
    return pixels;
  }
};

// Sum of N channels, from `channel` of their group on, over the points [first, first + points).
template <int N, typename Pixels, typename A>
BEV_INLINE void gather(const Pixels& pixels, const Scratch<A>& at, int64_t first, int64_t points, int64_t channel,
                       bool add, A* sums) {
  constexpr int lanes = lanes_for<A, N>();
  constexpr int vectors = N / lanes;
  // Several sums side by side hide the latency of the additions.
  constexpr int chains = vectors >= 8 ? 1 : vectors >= 4 ? 2 : 4;
  using W = Vector<A, lanes>;
  const A* const coefficients = at.coefficients;
  W partial[chains][vectors];
  BEV_UNROLL for (int k = 0; k < chains * vectors; ++k) partial[k / vectors][k % vectors] = W{};
  for (int64_t i = first; i < first + points; ++i) {
    const auto pixel_of = pixels(i);
    const Corners<W> weight = spread<W>(coefficients + 4 * i);
    BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
      const auto* pixel = pixel_of.of[corner] + channel;
      BEV_UNROLL for (int k = 0; k < vectors; ++k) {
        partial[corner % chains][k] += weight.of[corner] * load<W>(pixel + k * lanes);
      }
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
template <int Depth, int N = 64, typename Pixels, typename A>
BEV_INLINE void gather_group(const Pixels& pixels, const Scratch<A>& at, int64_t first, int64_t points, int64_t channel,
                             int64_t depth, bool add, A* sums) {
  if constexpr (Depth > 0) {
    gather<Depth>(pixels, at, first, points, 0, add, sums);
  } else {
    for (; depth - channel >= N; channel += N) gather<N>(pixels, at, first, points, channel, add, sums + channel);
    if constexpr (N > 1) gather_group<Depth, N / 2>(pixels, at, first, points, channel, depth, add, sums);
  }
}

// What query `query` of an image sees in one map, added to `sums` (all channels) or put there.
template <int Depth, bool Near, typename V, typename A>
BEV_INLINE void look(const Sampling<V>& s, int64_t item, int64_t row, const Aim<A>& aim, const Scratch<A>& at, bool add,
                     A* sums) {
  const V* map = s.maps + row * s.pixels * s.groups * s.depth;
  const auto pixels = [&] {
    if constexpr (Near) {
      return ByOffset<const V, A>{map, corners(at.offset)};
    } else {
      return ByAddress<const V>{corners(at.address)};
    }
  }();
  for (int64_t group = 0; group < s.groups; group += at.groups) {
    const int64_t groups = at.groups < s.groups - group ? at.groups : s.groups - group;
    const int64_t count = groups * s.points, entry = group * s.points, point = item * s.groups * s.points + entry;
    const A* raw = fetch(s.raw, 2 * point, 2 * count, at.raw);
    const A* weights = fetch(s.weights, point, count, at.weights);
    if constexpr (Near) {
      locate_near(s, raw, weights, aim, entry, count, at);
    } else {
      locate<false>(s, raw, weights, aim, Bases<V>{map, nullptr}, entry, count, at);
    }
    for (int64_t g = 0; g < groups; ++g) {
      gather_group<Depth>(pixels, at, g * s.points, s.points, 0, s.depth, add, sums + (group + g) * s.depth);
    }
  }
}

// All channels of query `query` of an image, from all maps that it sees.
template <int Depth, bool Near, typename V, typename A>
BEV_INLINE void look_at_all(const Sampling<V>& s, int64_t item, int64_t query, const Rows& rows, const Scratch<A>& at,
                            A* sums) {
  bool add = false;
  for (int64_t row = rows.first; row < rows.last; ++row) {
    if (!sees(s, row, query)) continue;
    look<Depth, Near>(s, item, row, aim(s, rows, row, query, at), at, add, sums);
    add = true;
  }
}

template <typename A>
BEV_INLINE bool all_finite(const A* numbers, int64_t count) {
  using W = typename Full<A>::Reals;
  W zeros{};
  A rest = 0;
  int64_t i = 0;
  for (; i + Full<A>::lanes <= count; i += Full<A>::lanes) {
    const W value = load<W>(numbers + i);
    zeros += value - value;
  }
  for (; i < count; ++i) rest += numbers[i] - numbers[i];
  return rest == 0 && !any_bit(zeros);
}

template <int Depth, typename V, typename A>
void forward(const Sampling<V>& s, int64_t begin, int64_t end, const Scratch<A>& at, V* output) {
  const int64_t channels = s.groups * s.depth;
  const bool near = PointTable<A>::fits(s.pixels * channels);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t image = item / s.queries, query = item % s.queries;
    const Rows rows = rows_of(s, image, query);
    A* sums = at.sums;
    if constexpr (sizeof(V) == sizeof(A)) sums = output + item * channels;
    if (rows.seen == 0) {
      for (int64_t c = 0; c < channels; ++c) sums[c] = 0;
    }
    if (near) look_at_all<Depth, true>(s, item, query, rows, at, sums);
    // Pixels that aren't finite may have come in beside the map: those are zeros here.
    if (!near || !all_finite(sums, channels)) look_at_all<Depth, false>(s, item, query, rows, at, sums);
    if constexpr (sizeof(V) != sizeof(A)) convert<A>(output + item * channels, sums, channels);
  }
}

}  // namespace BEV_TARGET
}  // namespace bev_ops
