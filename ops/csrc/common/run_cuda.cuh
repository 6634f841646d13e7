// From an operator's tensors to the kernels of sampling.cuh.

#pragma once

#include <algorithm>
#include <tuple>

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/ops.h>

#include "common/check.h"
#include "common/sampling.cuh"

namespace bev_ops {

// Contiguous, and at an address that 16 bytes can be moved from at once.
inline Tensor packed(const Tensor& given) {
  const Tensor tensor = as_contiguous(given);
  if (reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0) return tensor;
  Tensor copy = torch::stable::empty_like(tensor);
  torch::stable::copy_(copy, tensor);
  return copy;
}

inline void require_cuda(const char* op, const char* name, const Tensor& tensor, const Tensor& maps, ScalarType type,
                         int64_t elements) {
  require(tensor.is_cuda() && tensor.get_device_index() == maps.get_device_index(),
          op, ": ", name, " must be on the device of the first tensor");
  require(tensor.scalar_type() == type, op, ": ", name, " has the wrong type");
  require(tensor.numel() == elements, op, ": ", name, " must have ", elements, " elements, got ", tensor.numel());
}

// Checks the maps (rows, S, G, D), raw positions and weights; `positions` is their number.
inline void require_sampling(const char* op, const Tensor& maps, const Tensor& raw, const Tensor& weights,
                             int64_t positions) {
  require(maps.is_cuda(), op, ": the first tensor must be on a CUDA device");
  const ScalarType type = raw.scalar_type();
  require(type == maps.scalar_type() || type == compute_type(maps),
          op, ": positions must have the type of the first tensor, or float32 beside a 16-bit one");
  require_cuda(op, "the tensor of positions", raw, maps, type, 2 * positions);
  require_cuda(op, "the tensor of weights", weights, maps, type, positions);
}

// B, Q, G, P, D and S of sampling.h.
struct Sizes {
  int64_t images, queries, groups, points, depth, pixels;
};

struct Inputs {
  const char* op;
  Tensor maps, raw, weights;
  Sizes sizes;
};

inline void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  require(error == cudaSuccess, op, ": ", cudaGetErrorString(error));
}

// Starts a kernel for all groups of all queries on the current stream of the maps' device.
template <typename Sampling, typename Kernel, typename Points, typename Result>
void launch(const Inputs& in, int numbers, const Sampling& sampling, Kernel kernel, const Points& points,
            const Result& result) {
  if (sampling.items == 0 || in.sizes.depth == 0) return;
  const int team = team_size_for(in.sizes.depth, numbers);
  constexpr int64_t most_blocks = 1 << 30;
  const int64_t per_block = block_threads / team;
  const auto blocks = static_cast<unsigned>(std::min((sampling.items + per_block - 1) / per_block, most_blocks));
  void* stream = nullptr;
  require(aoti_torch_get_current_cuda_stream(in.maps.get_device_index(), &stream) == AOTI_TORCH_SUCCESS,
          in.op, ": there is no current CUDA stream");
  kernel<<<blocks, block_threads, 0, static_cast<cudaStream_t>(stream)>>>(sampling, points, team, result);
  check_launch(in.op);
}

// Calls call(V*, R*), null pointers to the types that maps and positions are stored in.
template <typename Call>
void dispatch_both(const Inputs& in, const Call& call) {
  dispatch(in.op, in.maps, [&](auto* type) {
    using A = ComputeType<std::remove_pointer_t<decltype(type)>>;
    if (in.raw.scalar_type() == in.maps.scalar_type()) {
      call(type, type);
    } else {
      call(type, static_cast<A*>(nullptr));
    }
  });
}

template <typename V, typename R>
DeviceSampling<V, R> describe(const Inputs& in) {
  const Sizes& n = in.sizes;
  return {n.images * n.queries * n.groups, Divisor(n.queries), Divisor(n.groups), n.groups, n.depth, n.pixels,
          static_cast<int>(n.points),
          static_cast<const V*>(in.maps.const_data_ptr()), static_cast<const R*>(in.raw.const_data_ptr()),
          static_cast<const R*>(in.weights.const_data_ptr())};
}

// Output of an operator. `place(A*)` returns its points class.
template <typename Place>
Tensor run_forward_cuda(const Inputs& in, std::initializer_list<int64_t> shape, const Place& place) {
  const torch::stable::accelerator::DeviceGuard guard(in.maps.get_device_index());
  Tensor output = torch::stable::new_empty(in.maps, shape);
  if (in.sizes.points == 0) torch::stable::zero_(output);
  dispatch_both(in, [&](auto* type, auto* raw_type) {
    using V = std::remove_pointer_t<decltype(type)>;
    using R = std::remove_pointer_t<decltype(raw_type)>;
    const auto points = place(static_cast<ComputeType<V>*>(nullptr));
    using Points = std::decay_t<decltype(points)>;
    auto* result = static_cast<V*>(output.mutable_data_ptr());
    if (in.sizes.depth % wide_pack<V> == 0) {
      launch(in, wide_pack<V>, describe<V, R>(in), forward_kernel<wide_pack<V>, V, R, Points>, points, result);
    } else {
      launch(in, 1, describe<V, R>(in), forward_kernel<1, V, R, Points>, points, result);
    }
  });
  return output;
}

// Gradients of maps, raw positions and weights.
template <typename Place>
std::tuple<Tensor, Tensor, Tensor> run_backward_cuda(const Inputs& in, const Tensor& grad, const Place& place) {
  const torch::stable::accelerator::DeviceGuard guard(in.maps.get_device_index());
  const Tensor given = packed(grad);
  const Sizes& n = in.sizes;
  require_cuda(in.op, "grad", given, in.maps, in.maps.scalar_type(), n.images * n.queries * n.groups * n.depth);
  Tensor sums = torch::stable::new_zeros(in.maps, in.maps.sizes(), compute_type(in.maps));
  Tensor grad_raw = torch::stable::new_zeros(in.raw, in.raw.sizes());
  Tensor grad_weights = torch::stable::new_zeros(in.weights, in.weights.sizes());
  dispatch_both(in, [&](auto* type, auto* raw_type) {
    using V = std::remove_pointer_t<decltype(type)>;
    using R = std::remove_pointer_t<decltype(raw_type)>;
    const auto points = place(static_cast<ComputeType<V>*>(nullptr));
    using Points = std::decay_t<decltype(points)>;
    const DeviceGradients<V, R> gradients{
        static_cast<const V*>(given.const_data_ptr()), static_cast<ComputeType<V>*>(sums.mutable_data_ptr()),
        static_cast<R*>(grad_raw.mutable_data_ptr()), static_cast<R*>(grad_weights.mutable_data_ptr())};
    if (n.depth % wide_pack<V> == 0) {
      launch(in, wide_pack<V>, describe<V, R>(in), backward_kernel<wide_pack<V>, V, R, Points>, points, gradients);
    } else {
      launch(in, 1, describe<V, R>(in), backward_kernel<1, V, R, Points>, points, gradients);
    }
  });
  return {torch::stable::to(sums, in.maps.scalar_type()), grad_raw, grad_weights};
}

}  // namespace bev_ops
