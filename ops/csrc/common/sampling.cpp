// Splits deformable sampling among threads, and picks the inner loops for the processor that it runs on.

#include "common/sampling.h"

#include <algorithm>
#include <utility>

#include <torch/csrc/stable/ops.h>

#include "common/kernel_table.h"
#include "common/target.h"

namespace bev_ops {
namespace {

template <typename V>
KernelTable<V> kernels(int64_t depth) {
  BEV_RETURN_FOR_TARGET(kernels<V>(depth));
}

// Memory for the points of as many groups as stay in the fastest cache.
template <typename V>
class Workspace {
  using A = ComputeType<V>;

 public:
  explicit Workspace(const Sampling<V>& s) {
    constexpr int64_t points_at_a_time = 128;
    const int64_t points = std::max<int64_t>(s.points, 1), groups = std::max<int64_t>(s.groups, 1);
    at_.groups = std::clamp<int64_t>(points_at_a_time / points, 1, groups);
    const int64_t count = at_.groups * points + 2 * max_lanes, all = groups * points + max_lanes;
    addresses_.resize(8 * count);
    reals_.resize(20 * count + 2 * all + groups * s.depth + (2 + at_.groups) * s.depth);
    uint64_t* address = addresses_.data();
    A* real = reals_.data();
    const auto take = [&real](int64_t size) { return std::exchange(real, real + size); };
    for (int corner = 0; corner < 4; ++corner) {
      at_.address[corner] = address + corner * count;
      at_.target[corner] = address + (4 + corner) * count;
      at_.weight[corner] = take(count);
      at_.offset[corner] = reinterpret_cast<Integer<A>*>(take(count));
    }
    at_.fraction_x = take(count);
    at_.fraction_y = take(count);
    at_.products = take(4 * count);
    at_.raw = take(2 * count);
    at_.weights = take(count);
    at_.grad_raw = take(2 * count);
    at_.grad_weights = take(count);
    at_.bias_x = take(all);
    at_.bias_y = take(all);
    at_.sums = take(groups * s.depth);
    at_.grad_output = take(at_.groups * s.depth);
    at_.waste = take(s.depth);
    at_.zeros = take(s.depth);  // bytes of zeros, whatever the storage type
  }

  const Scratch<A>& scratch() const { return at_; }

 private:
  std::vector<uint64_t> addresses_;
  std::vector<A> reals_;
  Scratch<A> at_;
};

// How a backward pass is divided: blocks of groups, and chunks of queries with a copy of the maps' gradient each.
struct Division {
  int64_t blocks, chunks;
};

template <typename V>
Division divide(const Sampling<V>& s) {
  const int64_t threads = std::max<int64_t>(torch::stable::get_num_threads(), 1);
  const int64_t images = std::max<int64_t>(s.images, 1), groups = std::max<int64_t>(s.groups, 1);
  // All groups of an image at once are the fastest; they are divided where images don't share out evenly.
  const int64_t wanted = images % threads == 0 ? 1 : (4 * threads + images - 1) / images;
  const int64_t blocks = std::min(wanted, groups);
  const int64_t chunks = (threads + images * blocks - 1) / (images * blocks);
  return {blocks, std::clamp<int64_t>(chunks, 1, std::max<int64_t>(s.queries, 1))};
}

}  // namespace

template <typename V>
void sample_forward(const Sampling<V>& s, V* output) {
  const KernelTable<V> kernel = kernels<V>(s.depth);
  constexpr int64_t work_per_task = 1 << 16;  // multiplications: some 10 microseconds
  const int64_t work = std::max<int64_t>(s.groups * s.points * (4 * s.depth + 32), 1);
  const int64_t grain = std::max<int64_t>(work_per_task / work, 1);
  torch::stable::parallel_for(0, s.images * s.queries, grain, [&](int64_t begin, int64_t end) {
    const Workspace<V> workspace(s);
    kernel.forward(s, begin, end, workspace.scratch(), output);
  });
}

template <typename V>
int64_t backward_copies(const Sampling<V>& s) {
  const int64_t chunks = divide(s).chunks;
  return chunks == 1 && sizeof(V) == sizeof(ComputeType<V>) ? 0 : chunks;
}

template <typename V>
void sample_backward(const Sampling<V>& s, const SamplingGradients<V>& gradients, int64_t maps_numel,
                     ComputeType<V>* copies) {
  const KernelTable<V> kernel = kernels<V>(s.depth);
  const Division division = divide(s);
  const int64_t blocks = division.blocks, chunks = division.chunks;
  torch::stable::parallel_for(0, s.images * blocks * chunks, 1, [&](int64_t begin, int64_t end) {
    const Workspace<V> workspace(s);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t block = index % blocks, chunk = index / blocks % chunks;
      const Task task{index / (blocks * chunks), block * s.groups / blocks, (block + 1) * s.groups / blocks,
                      chunk * s.queries / chunks, (chunk + 1) * s.queries / chunks};
      ComputeType<V>* grad_maps = copies + chunk * maps_numel;
      if constexpr (sizeof(V) == sizeof(ComputeType<V>)) {
        if (copies == nullptr) grad_maps = gradients.maps;
      }
      kernel.backward(s, task, workspace.scratch(), gradients, grad_maps);
    }
  });
  if (copies == nullptr) return;
  torch::stable::parallel_for(0, maps_numel, 1 << 14, [&](int64_t begin, int64_t end) {
    kernel.add_up(copies, chunks, maps_numel, begin, end, gradients.maps);
  });
}

#define BEV_INSTANTIATE(V)                                   \
  template void sample_forward(const Sampling<V>&, V*);      \
  template int64_t backward_copies(const Sampling<V>&);      \
  template void sample_backward(const Sampling<V>&, const SamplingGradients<V>&, int64_t, ComputeType<V>*);

BEV_INSTANTIATE(float)
BEV_INSTANTIATE(double)
BEV_INSTANTIATE(BFloat16)
BEV_INSTANTIATE(Half)

}  // namespace bev_ops
