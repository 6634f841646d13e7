// Vectors of numbers, in the namespace BEV_TARGET. There is no include guard: see kernels.h.

namespace bev_ops {
namespace BEV_TARGET {

#define BEV_INLINE inline __attribute__((always_inline))
#define BEV_UNROLL _Pragma("GCC unroll 64")

template <typename T, int Lanes>
struct VectorOf {
  typedef T type __attribute__((vector_size(Lanes * sizeof(T))));
};

template <typename T, int Lanes>
using Vector = typename VectorOf<T, Lanes>::type;

// Vectors that fill a register: reals, integers of the same width, and 64-bit integers.
template <typename A>
struct Full {
  static constexpr int lanes = BEV_VECTOR_BYTES / static_cast<int>(sizeof(A));
  static constexpr int wide_lanes = BEV_VECTOR_BYTES / 8;
  using Reals = Vector<A, lanes>;
  using Integers = Vector<Integer<A>, lanes>;
  using Wide = Vector<int64_t, wide_lanes>;
  static constexpr std::make_integer_sequence<int, lanes> all{};
};

// Channels per vector when N channels are handled at a time.
template <typename A, int N>
constexpr int lanes_for() {
  return N < Full<A>::lanes ? N : Full<A>::lanes;
}

template <typename To, typename From>
BEV_INLINE To bits_as(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "same bits");
  To to;
  __builtin_memcpy(&to, &from, sizeof(To));
  return to;
}

template <typename W, typename T>
BEV_INLINE W load_bits(const T* from) {
  W value;
  __builtin_memcpy(&value, from, sizeof(W));
  return value;
}

template <typename W, typename T>
BEV_INLINE void store_bits(T* to, const W& value) {
  __builtin_memcpy(to, &value, sizeof(W));
}

// Half precision by scaling: the exponent's bias differs by 112. Subnormal numbers come out right, too.
template <int Lanes>
BEV_INLINE Vector<float, Lanes> widen_half(const Vector<uint16_t, Lanes>& half) {
  using Words = Vector<uint32_t, Lanes>;
#ifdef BEV_HAS_F16C
  if constexpr (Lanes == 8) return bits_as<Vector<float, 8>>(_mm256_cvtph_ps(bits_as<__m128i>(half)));
#endif
#ifdef BEV_HAS_AVX512
  if constexpr (Lanes == 16) return bits_as<Vector<float, 16>>(_mm512_maskz_cvtph_ps(0xffff, bits_as<__m256i>(half)));
#endif
  const Words word = __builtin_convertvector(half, Words);
  const auto scaled = bits_as<Vector<float, Lanes>>((word & 0x7fff) << 13) * 0x1p112f;
  const Words special = (word & 0x7c00) == 0x7c00 ? Words{} + 0x7f800000u : Words{};
  return bits_as<Vector<float, Lanes>>(bits_as<Words>(scaled) | special | (word & 0x8000) << 16);
}

// Rounds to the nearest half, ties to even.
template <int Lanes>
BEV_INLINE Vector<uint16_t, Lanes> narrow_half(const Vector<float, Lanes>& value) {
  using Words = Vector<uint32_t, Lanes>;
  using Reals = Vector<float, Lanes>;
#ifdef BEV_HAS_F16C
  if constexpr (Lanes == 8) return bits_as<Vector<uint16_t, 8>>(_mm256_cvtps_ph(bits_as<__m256>(value), 0));
#endif
#ifdef BEV_HAS_AVX512
  if constexpr (Lanes == 16) return bits_as<Vector<uint16_t, 16>>(_mm512_maskz_cvtps_ph(0xffff, bits_as<__m512>(value), 0));
#endif
  const Words word = bits_as<Words>(value), sign = word & 0x80000000u, magnitude = word ^ sign;
  // Subnormal halves: adding 0.5 leaves the wanted bits at the bottom, rounded by the addition.
  const Words small = bits_as<Words>(bits_as<Reals>(magnitude) + 0.5f) - 0x3f000000u;
  const Words normal = (magnitude + 0xc8000fffu + (magnitude >> 13 & 1)) >> 13;
  const Words large = magnitude > 0x7f800000u ? Words{} + 0x7e00u : Words{} + 0x7c00u;
  const Words half = magnitude < 0x38800000u ? small : magnitude >= 0x47800000u ? large : normal;
  return __builtin_convertvector(half | sign >> 16, Vector<uint16_t, Lanes>);
}

// `Lanes` stored numbers as a vector of the compute type.
template <typename W>
BEV_INLINE W load(const float* from) {
  return load_bits<W>(from);
}

template <typename W>
BEV_INLINE W load(const double* from) {
  return load_bits<W>(from);
}

template <typename W>
BEV_INLINE W load(const BFloat16* from) {
  constexpr int lanes = sizeof(W) / sizeof(float);
  const auto words = __builtin_convertvector(load_bits<Vector<uint16_t, lanes>>(from), Vector<uint32_t, lanes>);
  return bits_as<W>(words << 16);
}

template <typename W>
BEV_INLINE W load(const Half* from) {
  constexpr int lanes = sizeof(W) / sizeof(float);
  return widen_half<lanes>(load_bits<Vector<uint16_t, lanes>>(from));
}

// Stores a vector of the compute type, rounded to the nearest stored number.
template <typename W>
BEV_INLINE void store(float* to, const W& value) {
  store_bits(to, value);
}

template <typename W>
BEV_INLINE void store(double* to, const W& value) {
  store_bits(to, value);
}

template <typename W>
BEV_INLINE void store(BFloat16* to, const W& value) {
  constexpr int lanes = sizeof(W) / sizeof(float);
  using Words = Vector<uint32_t, lanes>;
  const Words word = bits_as<Words>(value);
  const Words rounded = (word + 0x7fff + (word >> 16 & 1)) >> 16;
  const Words bits = (word & 0x7fffffff) > 0x7f800000u ? Words{} + 0x7fc0u : rounded;
  store_bits(to, __builtin_convertvector(bits, Vector<uint16_t, lanes>));
}

template <typename W>
BEV_INLINE void store(Half* to, const W& value) {
  constexpr int lanes = sizeof(W) / sizeof(float);
  store_bits(to, narrow_half<lanes>(value));
}

// Copies `count` numbers, N at a time, then fewer.
template <typename A, int N = Full<A>::lanes, typename To, typename From>
BEV_INLINE void convert(To* to, const From* from, int64_t count) {
  for (; count >= N; count -= N, to += N, from += N) store(to, load<Vector<A, N>>(from));
  if constexpr (N > 1) {
    if (count > 0) convert<A, N / 2>(to, from, count);
  }
}

// The lanes First, First + 2, First + 4, ... of (a, b).
template <typename A, int First, int... K>
BEV_INLINE typename Full<A>::Reals every_second(const typename Full<A>::Reals& a, const typename Full<A>::Reals& b,
                                                std::integer_sequence<int, K...>) {
  return BEV_SHUFFLE(a, b, typename Full<A>::Integers, (First + 2 * K)...);
}

// The lower (Half 0) or upper (Half 1) half of a and b taken in turns, lane by lane.
template <typename A, int Half, int... K>
BEV_INLINE typename Full<A>::Reals interleave(const typename Full<A>::Reals& a, const typename Full<A>::Reals& b,
                                              std::integer_sequence<int, K...>) {
  constexpr int lanes = Full<A>::lanes;
  return BEV_SHUFFLE(a, b, typename Full<A>::Integers, (Half * lanes / 2 + K / 2 + K % 2 * lanes)...);
}

// Pairs (Low 0) or the upper pairs (Low 2) of each four lanes of a and b, lane by lane by turns: unpack instructions,
// which don't move numbers between the quarters of a register.
template <typename A, int Low, int... K>
BEV_INLINE Vector<A, sizeof...(K)> unpack(const Vector<A, sizeof...(K)>& a, const Vector<A, sizeof...(K)>& b,
                                          std::integer_sequence<int, K...>) {
  constexpr int lanes = sizeof...(K);
  using Indices = Vector<Integer<A>, lanes>;
  return BEV_SHUFFLE(a, b, Indices, (K / 4 * 4 + Low + K % 4 / 2 + K % 2 * lanes)...);
}

// Lanes Low and Low + 1 of each four of a, and then of b.
template <typename A, int Low, int... K>
BEV_INLINE Vector<A, sizeof...(K)> join(const Vector<A, sizeof...(K)>& a, const Vector<A, sizeof...(K)>& b,
                                        std::integer_sequence<int, K...>) {
  constexpr int lanes = sizeof...(K);
  using Indices = Vector<Integer<A>, lanes>;
  return BEV_SHUFFLE(a, b, Indices, (K / 4 * 4 + Low + K % 2 + K % 4 / 2 * lanes)...);
}

// Whether any bit of a full register is set.
template <typename W>
BEV_INLINE bool any_bit(const W& value) {
  static_assert(sizeof(W) == BEV_VECTOR_BYTES, "a full register");
#if defined(BEV_HAS_AVX512)
  const __m512i bits = bits_as<__m512i>(value);
  return _mm512_test_epi64_mask(bits, bits) != 0;
#elif defined(BEV_HAS_F16C)
  const __m256i bits = bits_as<__m256i>(value);
  return _mm256_testz_si256(bits, bits) == 0;
#else
  uint64_t words[2];
  __builtin_memcpy(words, &value, sizeof(words));
  return (words[0] | words[1]) != 0;
#endif
}

template <typename A>
BEV_INLINE void clear(A* numbers, int64_t count) {
  for (int64_t i = 0; i < count; ++i) numbers[i] = 0;
}

// Stores the vector's parts of four lanes each, 16 numbers apart.
template <typename A, int Lanes>
BEV_INLINE void store_fours(A* to, const Vector<A, Lanes>& vector) {
  if constexpr (Lanes == 4) {
    store_bits(to, vector);
  } else {
    Vector<A, Lanes / 2> halves[2];
    __builtin_memcpy(&halves, &vector, sizeof(vector));
    store_fours<A, Lanes / 2>(to, halves[0]);
    store_fours<A, Lanes / 2>(to + 2 * Lanes, halves[1]);
  }
}

// Stores a, b, c and d, the four numbers of a lane side by side.
template <typename A>
BEV_INLINE void store_by_lane(A* to, const typename Full<A>::Reals& a, const typename Full<A>::Reals& b,
                              const typename Full<A>::Reals& c, const typename Full<A>::Reals& d) {
  constexpr int lanes = Full<A>::lanes;
  if constexpr (lanes >= 4) {
    constexpr auto all = Full<A>::all;
    const auto low_ab = unpack<A, 0>(a, b, all), high_ab = unpack<A, 2>(a, b, all);
    const auto low_cd = unpack<A, 0>(c, d, all), high_cd = unpack<A, 2>(c, d, all);
    store_fours<A, lanes>(to, join<A, 0>(low_ab, low_cd, all));
    store_fours<A, lanes>(to + 4, join<A, 2>(low_ab, low_cd, all));
    store_fours<A, lanes>(to + 8, join<A, 0>(high_ab, high_cd, all));
    store_fours<A, lanes>(to + 12, join<A, 2>(high_ab, high_cd, all));
  } else {
    for (int lane = 0; lane < lanes; ++lane, to += 4) {
      to[0] = a[lane], to[1] = b[lane], to[2] = c[lane], to[3] = d[lane];
    }
  }
}

// Sum of the vector's parts of four lanes each.
template <typename A, int Lanes>
BEV_INLINE Vector<A, 4> add_fours(const Vector<A, Lanes>& vector) {
  if constexpr (Lanes == 4) {
    return vector;
  } else {
    Vector<A, Lanes / 2> halves[2];
    __builtin_memcpy(&halves, &vector, sizeof(vector));
    return add_fours<A, Lanes / 2>(halves[0] + halves[1]);
  }
}

// Adds the lanes of four vectors to four sums, or to zeros.
template <bool Add, typename A, int Lanes>
BEV_INLINE void add_lanes(const Vector<A, Lanes> (&vectors)[4], A* sums) {
  constexpr std::make_integer_sequence<int, Lanes> all{};
  using Four = Vector<A, 4>;
  if constexpr (Lanes >= 4) {
    const auto upper = unpack<A, 0>(vectors[0], vectors[1], all) + unpack<A, 2>(vectors[0], vectors[1], all);
    const auto lower = unpack<A, 0>(vectors[2], vectors[3], all) + unpack<A, 2>(vectors[2], vectors[3], all);
    const auto sum = join<A, 0>(upper, lower, all) + join<A, 2>(upper, lower, all);
    Four four = add_fours<A, Lanes>(sum);
    if constexpr (Add) four += load_bits<Four>(sums);
    store_bits(sums, four);
  } else {
    for (int i = 0; i < 4; ++i) {
      if constexpr (!Add) sums[i] = 0;
      for (int k = 0; k < Lanes; ++k) sums[i] += vectors[i][k];
    }
  }
}

}  // namespace BEV_TARGET
}  // namespace bev_ops
