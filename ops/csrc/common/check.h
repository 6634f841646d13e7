// Argument checks of the kernels.

#pragma once

#include <sstream>
#include <stdexcept>

#include <torch/csrc/stable/tensor.h>

namespace bev_ops {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Throws an error made of `parts` unless `condition` holds.
template <typename... Parts>
void require(bool condition, const Parts&... parts) {
  if (condition) return;
  std::ostringstream message;
  ((message << parts), ...);
  throw std::runtime_error(message.str());
}

// Checks that a tensor is contiguous-izable data of the given type and number of elements on the CPU.
inline void require_cpu(const char* op, const char* name, const Tensor& tensor, ScalarType type, int64_t elements) {
  require(tensor.is_cpu(), op, ": ", name, " must be on the CPU");
  require(tensor.scalar_type() == type, op, ": ", name, " has another type than the first tensor");
  require(tensor.numel() == elements, op, ": ", name, " must have ", elements, " elements, got ", tensor.numel());
}

inline void require_floating(const char* op, const Tensor& tensor) {
  const ScalarType type = tensor.scalar_type();
  require(type == ScalarType::Float || type == ScalarType::Double, op, ": tensors must be float32 or float64");
}

}  // namespace bev_ops
