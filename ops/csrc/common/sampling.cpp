// Splits deformable sampling among threads, and picks the inner loops for the processor that it runs on.

#include "common/sampling.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include <torch/csrc/stable/ops.h>

#include "common/check.h"

namespace bev_ops {

// Pixels and coefficients of the points of up to `groups` groups of one query; written by one thread.
template <typename T>
struct Located {
  int64_t groups;
  Integer<T>* pixel;           // top left corner; may lie outside of the map
  Integer<T>* corners;         // bit c: corner c (top left, top right, bottom left, bottom right) is a pixel of the map
  T *fraction_x, *fraction_y; // position relative to the top left corner
  T* weight[4];               // the point's weight times the corner's bilinear weight
  T* products;                // backward only: scalar products of the output's gradient with the corners, 4 per point
};

}  // namespace bev_ops

// The given lanes of (a, b); the lanes' numbers are integers as wide as the values.
#ifdef __clang__
#define BEV_SHUFFLE(a, b, Integers, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define BEV_SHUFFLE(a, b, Integers, ...) __builtin_shuffle(a, b, Integers{__VA_ARGS__})
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BEV_HAS_X86_TARGETS 1
#define BEV_VECTOR_BYTES 64
#define BEV_TARGET avx512
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#include "common/sampling_kernels.h"
#pragma GCC pop_options
#undef BEV_TARGET
#undef BEV_VECTOR_BYTES

#define BEV_VECTOR_BYTES 32
#define BEV_TARGET avx2
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#include "common/sampling_kernels.h"
#pragma GCC pop_options
#undef BEV_TARGET
#undef BEV_VECTOR_BYTES
#endif

#define BEV_VECTOR_BYTES 16
#define BEV_TARGET portable
#include "common/sampling_kernels.h"
#undef BEV_TARGET
#undef BEV_VECTOR_BYTES

namespace bev_ops {
namespace {

template <typename T>
struct Kernels {
  decltype(&portable::forward<T>) forward;
  decltype(&portable::backward<T>) backward;
};

// The widest instruction set that processor and operating system offer, up to the one named by BEV_OPS_CPU_TARGET.
template <typename T>
Kernels<T> kernels() {
  const char* named = std::getenv("BEV_OPS_CPU_TARGET");
  const std::string wanted = named == nullptr ? "" : named;
  require(wanted.empty() || wanted == "avx512" || wanted == "avx2" || wanted == "portable",
          "bev_ops: BEV_OPS_CPU_TARGET must be avx512, avx2 or portable, got ", wanted);
#ifdef BEV_HAS_X86_TARGETS
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (has_avx512 && (wanted.empty() || wanted == "avx512")) return {avx512::forward<T>, avx512::backward<T>};
  if (has_avx2 && wanted != "portable") return {avx2::forward<T>, avx2::backward<T>};
#endif
  return {portable::forward<T>, portable::backward<T>};
}

// Memory for the points of as many groups as stay in the fastest cache.
template <typename T>
class Workspace {
 public:
  explicit Workspace(const Sampling<T>& sampling) {
    constexpr int64_t points_at_a_time = 128;
    const int64_t points = std::max<int64_t>(sampling.points, 1);
    at_.groups = std::clamp<int64_t>(points_at_a_time / points, 1, std::max<int64_t>(sampling.groups, 1));
    const int64_t count = at_.groups * points + max_lanes;
    integers_.resize(2 * count);
    reals_.resize(10 * count);
    at_.pixel = integers_.data();
    at_.corners = at_.pixel + count;
    at_.fraction_x = reals_.data();
    at_.fraction_y = at_.fraction_x + count;
    for (int corner = 0; corner < 4; ++corner) at_.weight[corner] = at_.fraction_y + (corner + 1) * count;
    at_.products = at_.weight[3] + count;
  }

  const Located<T>& located() const { return at_; }

 private:
  std::vector<Integer<T>> integers_;
  std::vector<T> reals_;
  Located<T> at_;
};

}  // namespace

template <typename T>
void sample_forward(const Sampling<T>& sampling, T* output) {
  const Kernels<T> kernel = kernels<T>();
  constexpr int64_t work_per_task = 1 << 16;  // multiplications: some 10 microseconds
  const int64_t work = std::max<int64_t>(sampling.groups * sampling.points * (4 * sampling.depth + 32), 1);
  const int64_t grain = std::max<int64_t>(work_per_task / work, 1);
  torch::stable::parallel_for(0, sampling.images * sampling.queries, grain, [&](int64_t begin, int64_t end) {
    const Workspace<T> workspace(sampling);
    kernel.forward(sampling, begin, end, workspace.located(), output);
  });
}

template <typename T>
void sample_backward(const Sampling<T>& sampling, const SamplingGradients<T>& gradients) {
  const Kernels<T> kernel = kernels<T>();
  const int64_t images = sampling.images, groups = sampling.groups;
  if (images == 0) return;
  // All groups of an image at once are the fastest; they are divided where images don't share out evenly.
  const int64_t threads = torch::stable::get_num_threads();
  const int64_t wanted = images % threads == 0 ? 1 : (4 * threads + images - 1) / images;
  const int64_t blocks = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(groups, 1));
  torch::stable::parallel_for(0, images * blocks, 1, [&](int64_t begin, int64_t end) {
    const Workspace<T> workspace(sampling);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t block = task % blocks;
      kernel.backward(sampling, task / blocks, block * groups / blocks, (block + 1) * groups / blocks,
                      workspace.located(), gradients);
    }
  });
}

template void sample_forward(const Sampling<float>&, float*);
template void sample_forward(const Sampling<double>&, double*);
template void sample_backward(const Sampling<float>&, const SamplingGradients<float>&);
template void sample_backward(const Sampling<double>&, const SamplingGradients<double>&);

}  // namespace bev_ops
