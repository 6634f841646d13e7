// Splits deformable sampling among threads, and picks the inner loops for the processor that it runs on.

#include "common/sampling.h"

#include <algorithm>
#include <cstring>
#include <memory>
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
      at_.offset[corner] = reinterpret_cast<Integer<A>*>(take(count));
    }
    at_.coefficients = take(4 * count);
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

// Room for a block of groups, with the gradient in a backward pass. Margins of the maps' planes are zero from the
// start: all blocks have them at the same places.
template <typename V>
class BlockMemory {
  using A = ComputeType<V>;

 public:
  BlockMemory(const Sampling<V>& s, int64_t groups, bool backward) {
    const int64_t elements = groups * plane_of(s).pixels * s.depth;
    numbers_.reset(new A[(backward ? 2 : 1) * (elements + line) + line]);
    const auto address = reinterpret_cast<uintptr_t>(numbers_.get());
    block_.maps = numbers_.get() + (-address % (line * sizeof(A))) / sizeof(A);
    block_.grad_maps = backward ? block_.maps + (elements + line - 1) / line * line : nullptr;
    for (int64_t g = 0; g < groups; ++g) clear_margin(s, g);
  }

  const Block<A>& block() const { return block_; }

 private:
  void clear_margin(const Sampling<V>& s, int64_t g) {
    const Plane plane = plane_of(s);
    A* const pixels = block_.maps + g * plane.pixels * s.depth;
    int64_t cleared = 0, row = plane.origin;
    for (int64_t y = 0; y < s.pixels; y += s.width, row += plane.width) {
      std::fill(pixels + cleared * s.depth, pixels + row * s.depth, A(0));
      cleared = row + s.width;
    }
    std::fill(pixels + cleared * s.depth, pixels + plane.pixels * s.depth, A(0));
  }

  static constexpr int64_t line = 16;  // numbers: a line of the caches, so that no pixel of 16 channels lies in two
  std::unique_ptr<A[]> numbers_;
  Block<A> block_;
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
  // A copy for each of many threads would take more memory than all else, and longer to add up than it saves.
  constexpr int64_t most_chunks = 4;
  const int64_t chunks = std::min((threads + images * blocks - 1) / (images * blocks), most_chunks);
  return {blocks, std::clamp<int64_t>(chunks, 1, std::max<int64_t>(s.queries, 1))};
}

// Blocks of groups that each image is divided into where tasks copy their maps; 0 where they should not: queries that
// look anywhere, fewer groups of images than threads, or too few points per pixel to be worth it.
template <typename V>
int64_t blocks_of(const Sampling<V>& s) {
  using A = ComputeType<V>;
  constexpr int64_t points_per_pixel = 4, exact_floats = 1 << 24;
  if (s.width == 0 || s.queries * s.points < points_per_pixel * s.pixels) return 0;
  const Plane plane = plane_of(s);
  if (plane.pixels > exact_floats || !PointTable<A>::fits(plane.pixels * s.depth)) return 0;
  const Division division = divide(s);
  if (division.chunks > 1) return 0;
  // Of as many groups the second cache can hold the rows that neighbouring queries look at. Fewer than `least` would
  // read and write too little of a pixel at a time.
  constexpr int64_t second_cache = 1 << 19, rows = 8, least = 4, most = 8;
  const int64_t bytes = rows * plane.width * s.depth * static_cast<int64_t>(sizeof(A));
  const int64_t groups = std::clamp<int64_t>(second_cache / bytes, least, most);
  return std::max(division.blocks, (s.groups + groups - 1) / groups);
}

// The same sampling of maps in the compute type, which each task makes for itself.
template <typename V>
Sampling<ComputeType<V>> sampling_of_copies(const Sampling<V>& s) {
  return {s.images, s.queries, s.groups, s.points, s.depth, s.pixels, nullptr, s.raw, s.weights, s.table, s.origin,
          nullptr, s.width};
}

// Runs the tasks that share a sampling in blocks of groups, each with room for the planes of its maps.
template <typename V, typename Run>
void for_blocks(const Sampling<V>& s, int64_t blocks, bool backward, const Run& run) {
  const int64_t most_groups = (s.groups + blocks - 1) / blocks;
  torch::stable::parallel_for(0, s.images * blocks, 1, [&](int64_t begin, int64_t end) {
    const Workspace<V> workspace(s);
    const BlockMemory<V> memory(s, most_groups, backward);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t block = index % blocks;
      run(Task{index / blocks, block * s.groups / blocks, (block + 1) * s.groups / blocks, 0, s.queries},
          workspace.scratch(), memory.block());
    }
  });
}

}  // namespace

template <typename V>
void sample_forward(const Sampling<V>& s, V* output) {
  const KernelTable<V> kernel = kernels<V>(s.depth);
  if (const int64_t blocks = blocks_of(s)) {
    const auto copied = sampling_of_copies(s);
    return for_blocks(s, blocks, false, [&](const Task& task, const auto& scratch, const auto& block) {
      kernel.forward_block(copied, {storage_type<V>, s.maps}, task, scratch, block, output);
    });
  }
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
  if (blocks_of(s) > 0) return 0;
  const int64_t chunks = divide(s).chunks;
  return chunks == 1 && sizeof(V) == sizeof(ComputeType<V>) ? 0 : chunks;
}

template <typename V>
void sample_backward(const Sampling<V>& s, const SamplingGradients<V>& gradients, int64_t maps_numel,
                     ComputeType<V>* copies) {
  const KernelTable<V> kernel = kernels<V>(s.depth);
  if (const int64_t blocks = blocks_of(s)) {
    const auto copied = sampling_of_copies(s);
    const StoredGradients stored{gradients.output, gradients.maps, gradients.raw, gradients.weights};
    return for_blocks(s, blocks, true, [&](const Task& task, const auto& scratch, const auto& block) {
      kernel.backward_block(copied, {storage_type<V>, s.maps}, task, scratch, block, stored);
    });
  }
  const Division division = divide(s);
  const int64_t blocks = division.blocks, chunks = division.chunks;
  if (copies == nullptr) {
    torch::stable::parallel_for(0, maps_numel, 1 << 16, [&](int64_t begin, int64_t end) {
      std::memset(gradients.maps + begin, 0, (end - begin) * sizeof(V));
    });
  }
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
