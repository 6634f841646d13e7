// From an operator's checked tensors to the sampling core.

#pragma once

#include <tuple>

#include <torch/csrc/stable/ops.h>

#include "common/check.h"
#include "common/sampling.h"

namespace bev_ops {

inline Coordinates coordinates(const char* op, const Tensor& tensor) {
  return {tensor.const_data_ptr(), storage_of(op, tensor), tensor.numel()};
}

template <typename T>
const T* data(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

// Output of an operator, whose `describe(V*)` returns the Sampling<V> of its arguments.
template <typename Describe>
Tensor run_forward(const char* op, const Tensor& maps, std::initializer_list<int64_t> shape, const Describe& describe) {
  Tensor output = torch::stable::new_empty(maps, shape);
  dispatch(op, maps, [&](auto* type) {
    using V = std::remove_pointer_t<decltype(type)>;
    describe(type, [&](const Sampling<V>& sampling) {
      sample_forward(sampling, static_cast<V*>(output.mutable_data_ptr()));
    });
  });
  return output;
}

// Gradients of the maps, the raw positions and the weights.
template <typename Describe>
std::tuple<Tensor, Tensor, Tensor> run_backward(const char* op, const Tensor& grad, const Tensor& maps,
                                                const Tensor& raw, const Tensor& weights, int64_t output_elements,
                                                const Describe& describe) {
  const Tensor grad_output = as_contiguous(grad);
  require_cpu(op, "grad", grad_output, maps.scalar_type(), output_elements);
  Tensor grad_maps = torch::stable::new_empty(maps, maps.sizes());
  Tensor grad_raw = torch::stable::new_empty(raw, raw.sizes());
  Tensor grad_weights = torch::stable::new_empty(weights, weights.sizes());
  dispatch(op, maps, [&](auto* type) {
    using V = std::remove_pointer_t<decltype(type)>;
    describe(type, [&](const Sampling<V>& sampling) {
      const int64_t count = backward_copies(sampling);
      const Tensor copies = torch::stable::new_zeros(maps, {count, maps.numel()}, compute_type(maps));
      sample_backward(sampling,
                      {data<V>(grad_output), static_cast<V*>(grad_maps.mutable_data_ptr()),
                       grad_raw.mutable_data_ptr(), grad_weights.mutable_data_ptr()},
                      maps.numel(),
                      count == 0 ? nullptr : static_cast<ComputeType<V>*>(copies.mutable_data_ptr()));
    });
  });
  return {grad_maps, grad_raw, grad_weights};
}

}  // namespace bev_ops
