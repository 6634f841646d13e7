// The inner loops of deformable sampling. There is no include guard: sampling.cpp includes this file once per
// instruction set, with BEV_TARGET (the namespace) and BEV_VECTOR_BYTES (the vector register's size) defined.
//
// A query's points are handled in two steps: `locate` computes pixels and bilinear coefficients of all of them,
// vectorised over points; then `gather` (forward) or `scatter` (backward) uses them, vectorised over the group's
// channels. Only functions of this namespace are called (and accessors that are always inlined), so that no instruction
// of a newer processor leaks into shared code.

namespace bev_ops {
namespace BEV_TARGET {

#define BEV_INLINE inline __attribute__((always_inline))
#define BEV_UNROLL _Pragma("GCC unroll 64")

template <typename T, int Lanes>
struct VectorOf {
  typedef T type __attribute__((vector_size(Lanes * sizeof(T))));
};

// Vectors that fill a register: reals, and integers of the same width.
template <typename T>
struct Full {
  static constexpr int lanes = BEV_VECTOR_BYTES / static_cast<int>(sizeof(T));
  using Reals = typename VectorOf<T, lanes>::type;
  using Integers = typename VectorOf<Integer<T>, lanes>::type;
  static constexpr std::make_integer_sequence<int, lanes> all{};
};

// Channels per vector when N channels are handled at a time.
template <typename T, int N>
constexpr int lanes_for() {
  return N < Full<T>::lanes ? N : Full<T>::lanes;
}

template <typename V, typename T>
BEV_INLINE V load(const T* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof(V));
  return value;
}

template <typename V, typename T>
BEV_INLINE void store(T* to, const V& value) {
  __builtin_memcpy(to, &value, sizeof(V));
}

// The lanes First, First + 2, First + 4, ... of (a, b).
template <typename T, int First, int... K>
BEV_INLINE typename Full<T>::Reals every_second(const typename Full<T>::Reals& a, const typename Full<T>::Reals& b,
                                                std::integer_sequence<int, K...>) {
  return BEV_SHUFFLE(a, b, typename Full<T>::Integers, (First + 2 * K)...);
}

// The lower (Half 0) or upper (Half 1) half of a and b taken in turns, lane by lane.
template <typename T, int Half, int... K>
BEV_INLINE typename Full<T>::Reals interleave(const typename Full<T>::Reals& a, const typename Full<T>::Reals& b,
                                              std::integer_sequence<int, K...>) {
  constexpr int lanes = Full<T>::lanes;
  return BEV_SHUFFLE(a, b, typename Full<T>::Integers, (Half * lanes / 2 + K / 2 + K % 2 * lanes)...);
}

// Copies `count` of fewer than 2 * N numbers, N being a power of two.
template <int N, typename T>
BEV_INLINE void copy_some(T* to, const T* from, int64_t count) {
  if (count & N) __builtin_memcpy(to, from, N * sizeof(T));
  if constexpr (N > 1) copy_some<N / 2>(to + (count & N), from + (count & N), count);
}

// The N numbers at `from`; only the first `count` are read, if that is less, and zeros stand for the others.
template <int N, typename T>
BEV_INLINE const T* padded(const T* from, int64_t count, T (&buffer)[N]) {
  if (count >= N) return from;
  for (int k = 0; k < N; ++k) buffer[k] = 0;
  copy_some<N / 2>(buffer, from, count);
  return buffer;
}

// Largest integers that are not above the values, along one axis, and the fractions above them.
template <typename T>
struct Axis {
  typename Full<T>::Integers first;
  typename Full<T>::Reals fraction;
};

template <typename T>
BEV_INLINE Axis<T> split(const typename Full<T>::Reals& value) {
  using Reals = typename Full<T>::Reals;
  using Integers = typename Full<T>::Integers;
  Integers first = __builtin_convertvector(value, Integers);
  first += __builtin_convertvector(first, Reals) > value;  // true is -1: truncation went up, below zero
  return {first, value - __builtin_convertvector(first, Reals)};
}

// Pixels and coefficients of `count` points whose constants start at table entry `entry`.
template <typename T>
BEV_INLINE void locate(const Sampling<T>& sampling, const T* raw, const T* weights, T origin_x, T origin_y,
                       int64_t entry, int64_t count, const Located<T>& at) {
  using Reals = typename Full<T>::Reals;
  using Integers = typename Full<T>::Integers;
  constexpr int lanes = Full<T>::lanes;
  const PointTable<T>& table = *sampling.table;
  constexpr auto all = Full<T>::all;
  const Reals outside = Reals{} - 2;
  for (int64_t i = 0; i < count; i += lanes) {
    T raw_buffer[2 * lanes], weight_buffer[lanes];
    const T* from = padded(raw + 2 * i, 2 * (count - i), raw_buffer);
    const Reals weight = load<Reals>(padded(weights + i, count - i, weight_buffer));
    const Reals low = load<Reals>(from), high = load<Reals>(from + lanes);
    const int64_t e = entry + i;
    const Integers width = load<Integers>(&table.width[e]), height = load<Integers>(&table.height[e]);
    const Reals x = every_second<T, 0>(low, high, all) * load<Reals>(&table.gain_x[e]) +
                    (load<Reals>(&table.bias_x[e]) + origin_x);
    const Reals y = every_second<T, 1>(low, high, all) * load<Reals>(&table.gain_y[e]) +
                    (load<Reals>(&table.bias_y[e]) + origin_y);
    // Also false for NaN; the conversions to integers are then of numbers that fit.
    const Integers touches = (x >= -1) & (x < __builtin_convertvector(width, Reals)) & (y >= -1) &
                             (y < __builtin_convertvector(height, Reals));
    const Axis<T> column = split<T>(touches ? x : outside), row = split<T>(touches ? y : outside);
    const Integers left = (column.first >= 0) & (column.first < width);
    const Integers right = (column.first >= -1) & (column.first < width - 1);
    const Integers top = (row.first >= 0) & (row.first < height);
    const Integers bottom = (row.first >= -1) & (row.first < height - 1);
    store(at.corners + i, (top & left & 1) | (top & right & 2) | (bottom & left & 4) | (bottom & right & 8));
    store(at.pixel + i, load<Integers>(&table.start[e]) + row.first * width + column.first);
    const Reals lower = weight * row.fraction, upper = weight - lower;
    const Reals lower_right = lower * column.fraction, upper_right = upper * column.fraction;
    store(at.weight[0] + i, upper - upper_right);
    store(at.weight[1] + i, upper_right);
    store(at.weight[2] + i, lower - lower_right);
    store(at.weight[3] + i, lower_right);
    store(at.fraction_x + i, column.fraction);
    store(at.fraction_y + i, row.fraction);
  }
}

constexpr int32_t all_corners = 15;

// Weighted sum of N channels over the points of a group, which start at point `first` and table entry `entry`.
template <typename T, int N>
BEV_INLINE void gather(const Sampling<T>& sampling, const Located<T>& at, int64_t first, int64_t entry, const T* maps,
                       T* output) {
  constexpr int lanes = lanes_for<T, N>();
  constexpr int vectors = N / lanes;
  // Several sums side by side hide the latency of the additions.
  constexpr int chains = vectors >= 8 ? 1 : vectors >= 4 ? 2 : 4;
  using V = typename VectorOf<T, lanes>::type;
  V sums[chains][vectors];
  BEV_UNROLL for (int k = 0; k < chains * vectors; ++k) sums[k / vectors][k % vectors] = V{};
  const int64_t column = sampling.groups * sampling.depth;
  const Integer<T>* width = sampling.table->width.data() + entry - first;
  for (int64_t i = first; i < first + sampling.points; ++i) {
    const Integer<T> corners = at.corners[i];
    if (corners == 0) continue;
    const int64_t top_left = at.pixel[i] * column, row = column * width[i];
    const int64_t pixels[4] = {top_left, top_left + column, top_left + row, top_left + row + column};
    if (__builtin_expect(corners == all_corners, 1)) {
      BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
        const T weight = at.weight[corner][i];
        const T* pixel = maps + pixels[corner];
        BEV_UNROLL for (int k = 0; k < vectors; ++k) sums[corner % chains][k] += weight * load<V>(pixel + k * lanes);
      }
    } else {
      BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
        if ((corners >> corner & 1) == 0) continue;
        const T weight = at.weight[corner][i];
        const T* pixel = maps + pixels[corner];
        BEV_UNROLL for (int k = 0; k < vectors; ++k) sums[corner % chains][k] += weight * load<V>(pixel + k * lanes);
      }
    }
  }
  BEV_UNROLL for (int k = 0; k < vectors; ++k) {
    V sum = sums[0][k];
    BEV_UNROLL for (int chain = 1; chain < chains; ++chain) sum += sums[chain][k];
    store(output + k * lanes, sum);
  }
}

// All `depth` channels: N at a time while there are as many, then fewer.
template <typename T, int N>
BEV_INLINE void gather_channels(const Sampling<T>& sampling, const Located<T>& at, int64_t first, int64_t entry,
                                int64_t depth, const T* maps, T* output) {
  for (; depth >= N; depth -= N, maps += N, output += N) gather<T, N>(sampling, at, first, entry, maps, output);
  if constexpr (N > 1) gather_channels<T, N / 2>(sampling, at, first, entry, depth, maps, output);
}

// Adds up the lanes of four vectors; the four sums go to `sums`.
template <typename T, int Lanes>
BEV_INLINE void add_lanes(const typename VectorOf<T, Lanes>::type (&vectors)[4], T* sums) {
  using V = typename VectorOf<T, Lanes>::type;
  if constexpr (Lanes > 4) {
    using Half = typename VectorOf<T, Lanes / 2>::type;
    Half halves[4];
    for (int i = 0; i < 4; ++i) {
      Half parts[2];
      __builtin_memcpy(parts, &vectors[i], sizeof(V));
      halves[i] = parts[0] + parts[1];
    }
    add_lanes<T, Lanes / 2>(halves, sums);
  } else if constexpr (Lanes == 4) {
    using I = typename VectorOf<Integer<T>, 4>::type;
    const V &a = vectors[0], &b = vectors[1], &c = vectors[2], &d = vectors[3];
    const V ab = BEV_SHUFFLE(a, b, I, 0, 4, 2, 6) + BEV_SHUFFLE(a, b, I, 1, 5, 3, 7);
    const V cd = BEV_SHUFFLE(c, d, I, 0, 4, 2, 6) + BEV_SHUFFLE(c, d, I, 1, 5, 3, 7);
    store(sums, load<V>(sums) + BEV_SHUFFLE(ab, cd, I, 0, 1, 4, 5) + BEV_SHUFFLE(ab, cd, I, 2, 3, 6, 7));
  } else {
    for (int i = 0; i < 4; ++i) {
      for (int k = 0; k < Lanes; ++k) sums[i] += vectors[i][k];
    }
  }
}

// Adds weight * (gradient of the output) to one corner's pixel; returns the pixel's products with it, lane by lane.
template <typename V, int Vectors, typename T>
BEV_INLINE V spread(const V (&grad)[Vectors], T weight, const T* pixel, T* grad_pixel) {
  constexpr int lanes = sizeof(V) / sizeof(T);
  V products{};
  BEV_UNROLL for (int k = 0; k < Vectors; ++k) {
    products += grad[k] * load<V>(pixel + k * lanes);
    store(grad_pixel + k * lanes, load<V>(grad_pixel + k * lanes) + weight * grad[k]);
  }
  return products;
}

// Backward of `gather`: adds to the maps' gradient, and to the four products of each point.
template <typename T, int N>
BEV_INLINE void scatter(const Sampling<T>& sampling, const Located<T>& at, int64_t first, int64_t entry,
                        const T* maps, const T* grad_output, T* grad_maps) {
  constexpr int lanes = lanes_for<T, N>();
  constexpr int vectors = N / lanes;
  using V = typename VectorOf<T, lanes>::type;
  V grad[vectors];
  BEV_UNROLL for (int k = 0; k < vectors; ++k) grad[k] = load<V>(grad_output + k * lanes);
  const int64_t column = sampling.groups * sampling.depth;
  const Integer<T>* width = sampling.table->width.data() + entry - first;
  for (int64_t i = first; i < first + sampling.points; ++i) {
    const Integer<T> corners = at.corners[i];
    if (corners == 0) continue;
    const int64_t top_left = at.pixel[i] * column, row = column * width[i];
    const int64_t pixels[4] = {top_left, top_left + column, top_left + row, top_left + row + column};
    V products[4] = {V{}, V{}, V{}, V{}};
    if (__builtin_expect(corners == all_corners, 1)) {
      BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
        const int64_t pixel = pixels[corner];
        products[corner] = spread<V, vectors>(grad, at.weight[corner][i], maps + pixel, grad_maps + pixel);
      }
    } else {
      BEV_UNROLL for (int corner = 0; corner < 4; ++corner) {
        if ((corners >> corner & 1) == 0) continue;
        const int64_t pixel = pixels[corner];
        products[corner] = spread<V, vectors>(grad, at.weight[corner][i], maps + pixel, grad_maps + pixel);
      }
    }
    add_lanes<T, lanes>(products, at.products + 4 * i);
  }
}

// All `depth` channels, as in `gather_channels`.
template <typename T, int N>
BEV_INLINE void scatter_channels(const Sampling<T>& sampling, const Located<T>& at, int64_t first, int64_t entry,
                                 int64_t depth, const T* maps, const T* grad_output, T* grad_maps) {
  for (; depth >= N; depth -= N, maps += N, grad_output += N, grad_maps += N) {
    scatter<T, N>(sampling, at, first, entry, maps, grad_output, grad_maps);
  }
  if constexpr (N > 1) scatter_channels<T, N / 2>(sampling, at, first, entry, depth, maps, grad_output, grad_maps);
}

// Stores a vector's first `count` lanes.
template <typename T>
BEV_INLINE void store_some(T* to, const typename Full<T>::Reals& value, int64_t count) {
  if (count >= Full<T>::lanes) return store(to, value);
  T buffer[Full<T>::lanes];
  store(buffer, value);
  copy_some<Full<T>::lanes / 2>(to, buffer, count);
}

// Gradients of raw positions and weights from the products of the output's gradient with the four corners.
template <typename T>
BEV_INLINE void differentiate(const Sampling<T>& sampling, const Located<T>& at, const T* weights, int64_t entry,
                              int64_t count, T* grad_raw, T* grad_weights) {
  using Reals = typename Full<T>::Reals;
  constexpr int lanes = Full<T>::lanes;
  constexpr auto all = Full<T>::all;
  for (int64_t i = 0; i < count; i += lanes) {
    T buffer[lanes];
    const int64_t some = count - i;
    const Reals weight = load<Reals>(padded(weights + i, some, buffer));
    const T* products = at.products + 4 * i;
    const Reals a = load<Reals>(products), b = load<Reals>(products + lanes);
    const Reals c = load<Reals>(products + 2 * lanes), d = load<Reals>(products + 3 * lanes);
    // Four products per point to one vector per corner.
    const Reals left_0 = every_second<T, 0>(a, b, all), left_1 = every_second<T, 0>(c, d, all);
    const Reals right_0 = every_second<T, 1>(a, b, all), right_1 = every_second<T, 1>(c, d, all);
    const Reals top_left = every_second<T, 0>(left_0, left_1, all);
    const Reals top_right = every_second<T, 0>(right_0, right_1, all);
    const Reals bottom_left = every_second<T, 1>(left_0, left_1, all);
    const Reals bottom_right = every_second<T, 1>(right_0, right_1, all);

    const Reals x = load<Reals>(at.fraction_x + i), y = load<Reals>(at.fraction_y + i);
    const Reals top_slope = top_right - top_left, bottom_slope = bottom_right - bottom_left;
    const Reals top = top_left + x * top_slope, bottom = bottom_left + x * bottom_slope;
    const Reals grad_x = (top_slope + y * (bottom_slope - top_slope)) * weight *
                         load<Reals>(&sampling.table->gain_x[entry + i]);
    const Reals grad_y = (bottom - top) * weight * load<Reals>(&sampling.table->gain_y[entry + i]);
    store_some<T>(grad_weights + i, top + y * (bottom - top), some);
    store_some<T>(grad_raw + 2 * i, interleave<T, 0>(grad_x, grad_y, all), 2 * some);
    if (2 * some > lanes) {
      store_some<T>(grad_raw + 2 * i + lanes, interleave<T, 1>(grad_x, grad_y, all), 2 * some - lanes);
    }
  }
}

// Output of the queries [begin, end), counted over all images.
template <typename T>
void forward(const Sampling<T>& s, int64_t begin, int64_t end, const Located<T>& at, T* output) {
  const int64_t channels = s.groups * s.depth, points = s.groups * s.points;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t query = item % s.queries;
    const T* maps = s.maps + item / s.queries * s.pixels * channels;
    const T origin_x = s.origin.first_x + static_cast<T>(query % s.origin.columns) * s.origin.step_x;
    const T origin_y = s.origin.first_y + static_cast<T>(query / s.origin.columns) * s.origin.step_y;
    for (int64_t group = 0; group < s.groups; group += at.groups) {
      const int64_t groups = at.groups < s.groups - group ? at.groups : s.groups - group;
      const int64_t entry = group * s.points, point = item * points + entry;
      locate(s, s.raw + 2 * point, s.weights + point, origin_x, origin_y, entry, groups * s.points, at);
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t base = (group + g) * s.depth, from = g * s.points;
        gather_channels<T, 64>(s, at, from, entry + from, s.depth, maps + base, output + item * channels + base);
      }
    }
  }
}

// Gradients of the groups [first_group, last_group) of one image.
template <typename T>
void backward(const Sampling<T>& s, int64_t image, int64_t first_group, int64_t last_group, const Located<T>& at,
              const SamplingGradients<T>& gradients) {
  const int64_t channels = s.groups * s.depth, points = s.groups * s.points;
  const T* maps = s.maps + image * s.pixels * channels;
  T* grad_maps = gradients.maps + image * s.pixels * channels;
  for (int64_t query = 0; query < s.queries; ++query) {
    const int64_t item = image * s.queries + query;
    const T origin_x = s.origin.first_x + static_cast<T>(query % s.origin.columns) * s.origin.step_x;
    const T origin_y = s.origin.first_y + static_cast<T>(query / s.origin.columns) * s.origin.step_y;
    for (int64_t group = first_group; group < last_group; group += at.groups) {
      const int64_t groups = at.groups < last_group - group ? at.groups : last_group - group;
      const int64_t count = groups * s.points, entry = group * s.points, point = item * points + entry;
      locate(s, s.raw + 2 * point, s.weights + point, origin_x, origin_y, entry, count, at);
      for (int64_t i = 0; i < 4 * count; ++i) at.products[i] = 0;
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t base = (group + g) * s.depth, from = g * s.points;
        scatter_channels<T, 64>(s, at, from, entry + from, s.depth, maps + base,
                                gradients.output + item * channels + base, grad_maps + base);
      }
      differentiate(s, at, s.weights + point, entry, count, gradients.raw + 2 * point, gradients.weights + point);
    }
  }
}

#undef BEV_UNROLL
#undef BEV_INLINE

}  // namespace BEV_TARGET
}  // namespace bev_ops
