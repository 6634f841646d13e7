// Fused functions of fused.h for one instruction set. No include guard: see common/kernels.h.

namespace bev_ops {
namespace BEV_TARGET {

// Calls f(vector type's value, index) for the numbers [first, count), a full vector at a time, then fewer.
template <typename A, int N = Full<A>::lanes, typename F>
BEV_INLINE void each(int64_t count, const F& f, int64_t first = 0) {
  for (; count - first >= N; first += N) f(Vector<A, N>{}, first);
  if constexpr (N > 1) {
    if (first < count) each<A, N / 2>(count, f, first);
  }
}

template <typename W>
constexpr int lanes_of() {
  return static_cast<int>(sizeof(W) / sizeof(W{}[0]));
}

template <typename W>
BEV_INLINE auto sum_of(const W& value) {
  auto sum = value[0];
  for (int k = 1; k < lanes_of<W>(); ++k) sum += value[k];
  return sum;
}

// e to the power of numbers that are not above 0, to about 1e-7 of the result, or 1e-15 in double precision: 2^n times
// a Taylor polynomial of the rest, which is at most ln(2) / 2. Results below the smallest normal number become 0.
template <typename W>
BEV_INLINE W exp_of_negative(const W& given) {
  using A = std::decay_t<decltype(given[0])>;
  constexpr bool single = sizeof(A) == 4;
  using Integers = Vector<Integer<A>, lanes_of<W>()>;
  constexpr A lowest = single ? A(-87) : A(-708);
  constexpr A ln2_high = single ? A(0x1.62ep-1) : A(0x1.62e42feep-1);
  constexpr A ln2_low = single ? A(0x1.0bfbe8e7bcd5ep-15) : A(0x1.a39ef35793c76p-33);
  constexpr A round = single ? A(0x1.8p23) : A(0x1.8p52);  // added and subtracted, leaves an integer
  constexpr int terms = single ? 7 : 14, mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
  const W x = given < lowest ? W{} + lowest : given;
  const W n = (x * A(1.4426950408889634) + round) - round;
  const W rest = (x - n * ln2_high) - n * ln2_low;
  A factorial = 1;
  for (int k = 2; k < terms; ++k) factorial *= static_cast<A>(k);
  W sum = W{} + 1 / factorial;
  BEV_UNROLL for (int k = terms - 1; k > 0; --k) {
    factorial /= static_cast<A>(k);
    sum = sum * rest + 1 / factorial;
  }
  const Integers power = (__builtin_convertvector(n, Integers) + bias) << mantissa;
  return given < lowest ? W{} : sum * bits_as<W>(power);
}

// x * Phi(x) with the error function of Abramowitz and Stegun, 7.1.26 (absolute error below 1.5e-7).
template <int Lanes>
BEV_INLINE Vector<float, Lanes> gelu_of(const Vector<float, Lanes>& x) {
  using W = Vector<float, Lanes>;
  const W size = x < 0 ? -x : x;
  const W t = 1.0f / (1.0f + (0.3275911f * 0.70710678f) * size);
  const W polynomial =
      t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const W tail = 0.5f * size * polynomial * exp_of_negative(-0.5f * size * size);  // |x| * (1 - Phi(|x|))
  // An infinite size times a tail of 0 would be NaN.
  return x < 0 ? (size > 20.0f ? W{} : -tail) : (size > 20.0f ? x : x - tail);
}

template <int Lanes>
BEV_INLINE Vector<double, Lanes> gelu_of(const Vector<double, Lanes>& x) {
  Vector<double, Lanes> y;
  for (int k = 0; k < Lanes; ++k) y[k] = 0.5 * x[k] * __builtin_erfc(-0.70710678118654752440 * x[k]);
  return y;
}

template <typename V, typename A>
void gelu(const V* x, const A* bias, int64_t begin, int64_t end, int64_t channels, V* output) {
  for (int64_t row = begin; row < end; ++row) {
    const V* from = x + row * channels;
    V* to = output + row * channels;
    each<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      using W = decltype(vector);
      W value = load<W>(from + i);
      if (bias != nullptr) value += load<W>(bias + i);
      store(to + i, gelu_of<lanes_of<W>()>(value));
    });
  }
}

// Adds what f gives for all vectors of a row.
template <typename A, typename F>
BEV_INLINE A total(int64_t count, const F& f) {
  typename Full<A>::Reals sums{};
  A rest = 0;
  each<A>(count, [&](auto vector, int64_t i) __attribute__((always_inline)) {
    using W = decltype(vector);
    if constexpr (lanes_of<W>() == Full<A>::lanes) {
      sums += f(vector, i);
    } else {
      rest += sum_of(f(vector, i));
    }
  });
  return rest + sum_of(sums);
}

template <typename V, typename A>
void layer_norm(const V* x, const A* weight, const A* bias, A eps, bool gelu, int64_t begin, int64_t end,
                int64_t channels, V* output) {
  const A share = A(1) / static_cast<A>(channels);
  for (int64_t row = begin; row < end; ++row) {
    const V* from = x + row * channels;
    V* to = output + row * channels;
    const A mean = share * total<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      return load<decltype(vector)>(from + i);
    });
    const A variance = share * total<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      const auto difference = load<decltype(vector)>(from + i) - mean;
      return difference * difference;
    });
    const A factor = 1 / (sizeof(A) == 4 ? __builtin_sqrtf(variance + eps) : __builtin_sqrt(variance + eps));
    each<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      using W = decltype(vector);
      const W value = (load<W>(from + i) - mean) * factor * load<W>(weight + i) + load<W>(bias + i);
      store(to + i, gelu ? gelu_of<lanes_of<W>()>(value) : value);
    });
  }
}

template <typename V, typename A>
void add_branch(const V* x, const V* branch, const A* scale, int64_t begin, int64_t end, int64_t channels, V* output) {
  for (int64_t row = begin; row < end; ++row) {
    const V *from = x + row * channels, *other = branch + row * channels;
    V* to = output + row * channels;
    each<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      using W = decltype(vector);
      W value = load<W>(other + i);
      if (scale != nullptr) value *= load<W>(scale + i);
      store(to + i, load<W>(from + i) + value);
    });
  }
}

// Rows are short: a vector holds the same column of as many rows as it has lanes. The rows are transposed in `columns`,
// which holds a vector per channel.
template <typename W, typename V>
BEV_INLINE void transpose_in(const V* rows, int64_t channels, W* columns) {
  using A = std::decay_t<decltype(columns[0][0])>;
  A* numbers = reinterpret_cast<A*>(columns);
  for (int k = 0; k < lanes_of<W>(); ++k) {
    for (int64_t i = 0; i < channels; ++i) {
      numbers[i * lanes_of<W>() + k] = load<Vector<A, 1>>(rows + k * channels + i)[0];
    }
  }
}

template <typename W, typename V>
BEV_INLINE void transpose_out(const W* columns, int64_t channels, V* rows) {
  using A = std::decay_t<decltype(columns[0][0])>;
  const A* numbers = reinterpret_cast<const A*>(columns);
  for (int k = 0; k < lanes_of<W>(); ++k) {
    for (int64_t i = 0; i < channels; ++i) {
      store(rows + k * channels + i, load_bits<Vector<A, 1>>(numbers + i * lanes_of<W>() + k));
    }
  }
}

// Longest row that is transposed on the stack.
constexpr int64_t most_columns = 64;

template <typename V, typename A>
BEV_INLINE void softmax_row(const V* logits, int64_t channels, V* output) {
  using One = Vector<A, 1>;
  One most = load<One>(logits);
  for (int64_t i = 1; i < channels; ++i) {
    const One value = load<One>(logits + i);
    most = value > most ? value : most;
  }
  const A sum = total<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
    return exp_of_negative(load<decltype(vector)>(logits + i) - most[0]);
  });
  each<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
    store(output + i, exp_of_negative(load<decltype(vector)>(logits + i) - most[0]) / sum);
  });
}

template <typename V>
void softmax(const V* logits, int64_t begin, int64_t end, int64_t channels, V* output) {
  using A = ComputeType<V>;
  using W = typename Full<A>::Reals;
  constexpr int lanes = Full<A>::lanes;
  int64_t row = begin;
  for (; channels <= most_columns && row + lanes <= end; row += lanes) {
    W columns[most_columns];
    transpose_in(logits + row * channels, channels, columns);
    W most = columns[0], sum{};
    for (int64_t i = 1; i < channels; ++i) most = columns[i] > most ? columns[i] : most;
    for (int64_t i = 0; i < channels; ++i) sum += columns[i] = exp_of_negative(columns[i] - most);
    const W factor = 1 / sum;
    for (int64_t i = 0; i < channels; ++i) columns[i] *= factor;
    transpose_out(columns, channels, output + row * channels);
  }
  for (; row < end; ++row) softmax_row<V, A>(logits + row * channels, channels, output + row * channels);
}

template <typename V>
void softmax_backward(const V* grad, const V* output, int64_t begin, int64_t end, int64_t channels, V* grad_logits) {
  using A = ComputeType<V>;
  for (int64_t row = begin; row < end; ++row) {
    const V *given = grad + row * channels, *weights = output + row * channels;
    const A mean = total<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      using W = decltype(vector);
      return load<W>(given + i) * load<W>(weights + i);
    });
    each<A>(channels, [=](auto vector, int64_t i) __attribute__((always_inline)) {
      using W = decltype(vector);
      store(grad_logits + row * channels + i, load<W>(weights + i) * (load<W>(given + i) - mean));
    });
  }
}

template <typename V>
FusedTable<V> fused_kernels() {
  using A = ComputeType<V>;
  return {gelu<V, A>, layer_norm<V, A>, add_branch<V, A>, softmax<V>, softmax_backward<V>};
}

template FusedTable<float> fused_kernels();
template FusedTable<double> fused_kernels();
template FusedTable<BFloat16> fused_kernels();
template FusedTable<Half> fused_kernels();

}  // namespace BEV_TARGET
}  // namespace bev_ops
