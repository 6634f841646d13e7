// From raw positions to pixels and bilinear coefficients, in the namespace BEV_TARGET. No include guard: see kernels.h.

namespace bev_ops {
namespace BEV_TARGET {

// Positions and weights from element `index` on, in the compute type, with whole vectors readable beyond `count`.
template <typename A>
BEV_INLINE const A* fetch(const Coordinates& from, int64_t index, int64_t count, A* scratch) {
  if constexpr (sizeof(A) == 4) {
    if (from.type == Storage::bfloat16) {
      convert<A>(scratch, static_cast<const BFloat16*>(from.data) + index, count);
      return scratch;
    }
    if (from.type == Storage::float16) {
      convert<A>(scratch, static_cast<const Half*>(from.data) + index, count);
      return scratch;
    }
  }
  const A* data = static_cast<const A*>(from.data) + index;
  if (index + count + 2 * max_lanes <= from.numel) return data;
  convert<A>(scratch, data, count);
  return scratch;
}

// Calls `use` with a pointer of the stored type.
template <typename A, typename Use>
BEV_INLINE void as_stored(const void* data, Storage type, const Use& use) {
  if constexpr (sizeof(A) == 4) {
    if (type == Storage::bfloat16) return use(static_cast<const BFloat16*>(data));
    if (type == Storage::float16) return use(static_cast<const Half*>(data));
  }
  use(static_cast<const A*>(data));
}

// `count` stored numbers in the compute type.
template <typename A>
BEV_INLINE void get(A* to, const void* from, Storage type, int64_t index, int64_t count) {
  as_stored<A>(from, type, [&](const auto* stored) { convert<A>(to, stored + index, count); });
}

// Rounds `count` numbers to the storage type of `to`.
template <typename A>
BEV_INLINE void put(void* to, Storage type, int64_t index, int64_t count, const A* from) {
  if constexpr (sizeof(A) == 4) {
    if (type == Storage::bfloat16) return convert<A>(static_cast<BFloat16*>(to) + index, from, count);
    if (type == Storage::float16) return convert<A>(static_cast<Half*>(to) + index, from, count);
  }
  convert<A>(static_cast<A*>(to) + index, from, count);
}

// Brings `count` stored numbers into the cache, to be read or (`Write`) overwritten a little later.
template <bool Write, typename A>
BEV_INLINE void prefetch(const void* data, Storage type, int64_t index, int64_t count) {
  constexpr uintptr_t line = 64;
  as_stored<A>(data, type, [&](const auto* stored) {
    const auto first = reinterpret_cast<uintptr_t>(stored + index);
    const auto last = reinterpret_cast<uintptr_t>(stored + index + count);
    for (uintptr_t address = first - first % line; address < last; address += line) {
      __builtin_prefetch(reinterpret_cast<const void*>(address), Write);
      asm volatile("" ::"r"(address));  // GCC drops calls of a function that does nothing but prefetch
    }
  });
}

// What is added to the scaled raw positions of a query, and the factor of its weights.
template <typename A>
struct Aim {
  const A *bias_x, *bias_y;
  A origin_x, origin_y;
  A scale;
};

// The maps [first, last) that a query may look at, and how many of them it sees.
struct Rows {
  int64_t first, last, seen;
};

template <typename V>
BEV_INLINE Rows rows_of(const Sampling<V>& s, int64_t image, int64_t query) {
  if (s.views == nullptr) return {image, image + 1, 1};
  Rows rows{s.views->splits[image], s.views->splits[image + 1], 0};
  for (int64_t row = rows.first; row < rows.last; ++row) rows.seen += s.views->visible[row * s.queries + query];
  return rows;
}

template <typename V>
BEV_INLINE bool sees(const Sampling<V>& s, int64_t row, int64_t query) {
  return s.views == nullptr || s.views->visible[row * s.queries + query];
}

// Biases of all points of a query in one view: anchor in pixels.
template <typename V, typename A>
BEV_INLINE void place(const Sampling<V>& s, int64_t row, int64_t query, const Scratch<A>& scratch) {
  const Views<A>& views = *s.views;
  const PointTable<A>& table = *s.table;
  const A* anchors = views.anchors + 2 * (row * s.queries + query) * views.count;
  int64_t of_level = 0, anchor = 0;
  for (int64_t point = 0; point < s.points; ++point) {
    scratch.bias_x[point] = anchors[2 * anchor] * static_cast<A>(table.width[point]) + table.bias_x[point];
    scratch.bias_y[point] = anchors[2 * anchor + 1] * static_cast<A>(table.height[point]) + table.bias_y[point];
    if (++anchor == views.count) anchor = 0;
    if (++of_level == views.points) of_level = anchor = 0;
  }
  for (int64_t group = 1; group < s.groups; ++group) {
    __builtin_memcpy(scratch.bias_x + group * s.points, scratch.bias_x, s.points * sizeof(A));
    __builtin_memcpy(scratch.bias_y + group * s.points, scratch.bias_y, s.points * sizeof(A));
  }
}

// Aim of the query of an output pixel that looks at one map only.
template <typename V, typename A = ComputeType<V>>
BEV_INLINE Aim<A> aim_at(const Sampling<V>& s, int64_t column, int64_t row) {
  return {s.table->bias_x.data(), s.table->bias_y.data(), s.origin.first_x + static_cast<A>(column) * s.origin.step_x,
          s.origin.first_y + static_cast<A>(row) * s.origin.step_y, 1};
}

template <typename V, typename A>
BEV_INLINE Aim<A> aim(const Sampling<V>& s, const Rows& rows, int64_t row, int64_t query, const Scratch<A>& scratch) {
  if (s.views == nullptr) return aim_at(s, query % s.origin.columns, query / s.origin.columns);
  place(s, row, query, scratch);
  return {scratch.bias_x, scratch.bias_y, 0, 0, A(1) / static_cast<A>(rows.seen)};
}

// Largest integers that are not above the values, along one axis, and the fractions above them.
template <typename A>
struct Steps {
  typename Full<A>::Integers first;
  typename Full<A>::Reals fraction;
};

// Largest whole numbers that are not above the values; 9 is AVX-512's code for that.
template <typename A>
BEV_INLINE typename Full<A>::Reals floor_of(const typename Full<A>::Reals& value) {
  using Reals = typename Full<A>::Reals;
#if defined(BEV_HAS_AVX512)
  if constexpr (sizeof(A) == 4) return bits_as<Reals>(_mm512_maskz_roundscale_ps(0xffff, bits_as<__m512>(value), 9));
  if constexpr (sizeof(A) == 8) return bits_as<Reals>(_mm512_maskz_roundscale_pd(0xff, bits_as<__m512d>(value), 9));
#elif defined(BEV_HAS_F16C)
  if constexpr (sizeof(A) == 4) return bits_as<Reals>(_mm256_floor_ps(bits_as<__m256>(value)));
  if constexpr (sizeof(A) == 8) return bits_as<Reals>(_mm256_floor_pd(bits_as<__m256d>(value)));
#else
  using Integers = typename Full<A>::Integers;
  Integers first = __builtin_convertvector(value, Integers);
  first += __builtin_convertvector(first, Reals) > value;  // true is -1: truncation went up, below zero
  return __builtin_convertvector(first, Reals);
#endif
}

template <typename A>
BEV_INLINE Steps<A> split(const typename Full<A>::Reals& value) {
  const typename Full<A>::Reals first = floor_of<A>(value);
  return {__builtin_convertvector(first, typename Full<A>::Integers), value - first};
}

// Part `index` of a vector of integers, as 64-bit integers.
template <typename A>
BEV_INLINE typename Full<A>::Wide widen(const typename Full<A>::Integers& value, int index) {
  using Wide = typename Full<A>::Wide;
#ifdef BEV_HAS_AVX512
  if constexpr (sizeof(A) == 4) {
    const __m512i all = bits_as<__m512i>(value);
    const __m256i half = index == 0 ? _mm512_castsi512_si256(all) : _mm512_maskz_extracti64x4_epi64(0xff, all, 1);
    return bits_as<Wide>(_mm512_maskz_cvtepi32_epi64(0xff, half));
  }
#endif
  using Part = Vector<Integer<A>, Full<A>::wide_lanes>;
  Part part;
  __builtin_memcpy(&part, reinterpret_cast<const char*>(&value) + index * sizeof(Part), sizeof(Part));
  return __builtin_convertvector(part, Wide);
}

// Lanes of `yes` where part `index` of the mask is true, else of `no`.
template <typename A>
BEV_INLINE typename Full<A>::Wide choose(const typename Full<A>::Integers& mask, int index,
                                         const typename Full<A>::Wide& yes, const typename Full<A>::Wide& no) {
#ifdef BEV_HAS_AVX512
  if constexpr (sizeof(A) == 4) {
    const __mmask8 lanes = static_cast<__mmask8>(_mm512_movepi32_mask(bits_as<__m512i>(mask)) >> (8 * index));
    return bits_as<typename Full<A>::Wide>(_mm512_mask_blend_epi64(lanes, bits_as<__m512i>(no), bits_as<__m512i>(yes)));
  }
#endif
  return widen<A>(mask, index) ? yes : no;
}

// Which corners are pixels of the map, as masks.
template <typename A>
struct Inside {
  typename Full<A>::Integers corner[4];
};

// Addresses of the corners' pixels in an array of T whose image starts at `base`, or `otherwise` outside of the map.
template <typename A, typename T>
BEV_INLINE void point_at(uint64_t* const (&addresses)[4], const T* base, const void* otherwise, const Inside<A>& inside,
                         const typename Full<A>::Integers& pixel, const PointTable<A>& table, int64_t entry, int64_t i,
                         int64_t column) {
  using Wide = typename Full<A>::Wide;
  constexpr int parts = Full<A>::lanes / Full<A>::wide_lanes;
  const int64_t origin = reinterpret_cast<int64_t>(base), elsewhere = reinterpret_cast<int64_t>(otherwise);
  constexpr int64_t size = sizeof(T);
  BEV_UNROLL for (int part = 0; part < parts; ++part) {
    const int64_t at = i + part * Full<A>::wide_lanes, e = entry + at;
    const Wide upper = (load_bits<Wide>(&table.first[e]) + widen<A>(pixel, part) * column) * size + origin;
    const Wide lower = upper + load_bits<Wide>(&table.row[e]) * size;
    const Wide corners[4] = {upper, upper + column * size, lower, lower + column * size};
    BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
      store_bits(addresses[corner] + at, choose<A>(inside.corner[corner], part, corners[corner], Wide{} + elsewhere));
    }
  }
}

// Where the points' pixels are: images of maps and, for a backward pass, of their gradient.
template <typename V>
struct Bases {
  const V* maps;
  ComputeType<V>* grad_maps;
};

// A vector of points in pixels of their maps.
template <typename A>
struct Positions {
  typename Full<A>::Integers width, height;
  typename Full<A>::Integers touches;  // mask: some corner is a pixel of the map; false for NaN
  Steps<A> horizontal, vertical;       // of the points that touch, else of `otherwise`
};

// Where points i, i + 1, ... of those whose constants start at table entry `entry` are, in pixels.
template <typename A>
struct Places {
  typename Full<A>::Reals x, y;
};

template <typename A>
BEV_INLINE Places<A> places(const PointTable<A>& table, const A* raw, const Aim<A>& aim, int64_t entry, int64_t i) {
  using Reals = typename Full<A>::Reals;
  constexpr auto all = Full<A>::all;
  const Reals low = load<Reals>(raw + 2 * i), high = load<Reals>(raw + 2 * i + Full<A>::lanes);
  const int64_t e = entry + i;
  return {every_second<A, 0>(low, high, all) * load<Reals>(&table.gain_x[e]) +
              (load<Reals>(aim.bias_x + e) + aim.origin_x),
          every_second<A, 1>(low, high, all) * load<Reals>(&table.gain_y[e]) +
              (load<Reals>(aim.bias_y + e) + aim.origin_y)};
}

template <typename A>
BEV_INLINE Positions<A> positions(const PointTable<A>& table, const A* raw, const Aim<A>& aim, int64_t entry, int64_t i,
                                  A otherwise) {
  using Reals = typename Full<A>::Reals;
  using Integers = typename Full<A>::Integers;
  const auto [x, y] = places(table, raw, aim, entry, i);
  const int64_t e = entry + i;
  const Integers width = load_bits<Integers>(&table.width[e]), height = load_bits<Integers>(&table.height[e]);
  // The conversions to integers are then of numbers that fit.
  const Integers touches = (x >= -1) & (x < __builtin_convertvector(width, Reals)) & (y >= -1) &
                           (y < __builtin_convertvector(height, Reals));
  const Reals elsewhere = Reals{} + otherwise;
  return {width, height, touches, split<A>(touches ? x : elsewhere), split<A>(touches ? y : elsewhere)};
}

// Coefficients of the corners of points i, i + 1, ..., and for a backward pass the fractions that they come from.
template <bool Backward, typename A>
BEV_INLINE void share(const typename Full<A>::Reals& weight, const typename Full<A>::Reals& x,
                      const typename Full<A>::Reals& y, int64_t i, const Scratch<A>& at) {
  using Reals = typename Full<A>::Reals;
  const Reals lower = weight * y, upper = weight - lower;
  const Reals lower_right = lower * x, upper_right = upper * x;
  store_by_lane<A>(at.coefficients + 4 * i, upper - upper_right, upper_right, lower - lower_right, lower_right);
  if constexpr (Backward) {
    store(at.fraction_x + i, x);
    store(at.fraction_y + i, y);
  }
}

// Addresses and coefficients of `count` points whose constants start at table entry `entry`. Pixels outside of a map
// are replaced by zeros.
template <bool Backward, typename V, typename A>
BEV_INLINE void locate(const Sampling<V>& s, const A* raw, const A* weights, const Aim<A>& aim, const Bases<V>& bases,
                       int64_t entry, int64_t count, const Scratch<A>& at) {
  using Reals = typename Full<A>::Reals;
  using Integers = typename Full<A>::Integers;
  const PointTable<A>& table = *s.table;
  const int64_t column = s.groups * s.depth;
  for (int64_t i = 0; i < count; i += Full<A>::lanes) {
    const Positions<A> at_map = positions(table, raw, aim, entry, i, A(-2));
    const Steps<A>&horizontal = at_map.horizontal, &vertical = at_map.vertical;
    const Integers left = (horizontal.first >= 0) & at_map.touches;
    const Integers right = (horizontal.first < at_map.width - 1) & at_map.touches;
    const Integers top = vertical.first >= 0, bottom = vertical.first < at_map.height - 1;
    const Inside<A> inside{{top & left, top & right, bottom & left, bottom & right}};
    const Integers pixel = vertical.first * at_map.width + horizontal.first;
    point_at<A>(at.address, bases.maps, at.zeros, inside, pixel, table, entry, i, column);
    share<Backward, A>(load<Reals>(weights + i) * aim.scale, horizontal.fraction, vertical.fraction, i, at);
    if constexpr (Backward) {
      point_at<A>(at.target, bases.grad_maps, at.waste, inside, pixel, table, entry, i, column);
    }
  }
}

// Numbers where a mask is true, else 0.
template <typename A>
BEV_INLINE typename Full<A>::Reals only(const typename Full<A>::Integers& mask, const typename Full<A>::Reals& value) {
  return bits_as<typename Full<A>::Reals>(bits_as<typename Full<A>::Integers>(value) & mask);
}

// The same with offsets instead of addresses, at half the cost, for maps whose offsets fit. Pixels outside of a map are
// replaced by the nearest pixels of the map, with coefficient 0: wrong if such a pixel isn't finite.
template <typename V, typename A>
BEV_INLINE void locate_near(const Sampling<V>& s, const A* raw, const A* weights, const Aim<A>& aim, int64_t entry,
                            int64_t count, const Scratch<A>& at) {
  using Reals = typename Full<A>::Reals;
  using Integers = typename Full<A>::Integers;
  const PointTable<A>& table = *s.table;
  const auto column = static_cast<Integer<A>>(s.groups * s.depth);
  for (int64_t i = 0; i < count; i += Full<A>::lanes) {
    const Positions<A> at_map = positions(table, raw, aim, entry, i, A(0));
    const Steps<A>&horizontal = at_map.horizontal, &vertical = at_map.vertical;
    const Integers last_x = at_map.width - 1, last_y = at_map.height - 1;
    const Integers left = horizontal.first >= 0, right = horizontal.first < last_x;
    const Integers top = vertical.first >= 0, bottom = vertical.first < last_y;
    const Integers x = horizontal.first & left, y = vertical.first & top;  // -1 becomes 0
    const Integers upper = load_bits<Integers>(&table.offset[entry + i]) + (y * at_map.width + x) * column;
    // One pixel on, where both corners are pixels: true is -1.
    const Integers step_x = (left & right) & column;
    const Integers lower = upper + ((top & bottom) & (at_map.width * column));
    store_bits(at.offset[0] + i, upper);
    store_bits(at.offset[1] + i, upper + step_x);
    store_bits(at.offset[2] + i, lower);
    store_bits(at.offset[3] + i, lower + step_x);
    const Reals weight = only<A>(at_map.touches, load<Reals>(weights + i) * aim.scale);
    const Reals weight_bottom = weight * vertical.fraction, weight_top = only<A>(top, weight - weight_bottom);
    const Reals share_left = only<A>(left, 1 - horizontal.fraction), share_right = only<A>(right, horizontal.fraction);
    const Reals weight_below = only<A>(bottom, weight_bottom);
    store_by_lane<A>(at.coefficients + 4 * i, weight_top * share_left, weight_top * share_right,
                     weight_below * share_left, weight_below * share_right);
  }
}

}  // namespace BEV_TARGET
}  // namespace bev_ops
