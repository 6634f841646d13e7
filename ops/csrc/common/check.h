// Argument checks of the kernels, and their dispatch by storage type.

#pragma once

#include <initializer_list>
#include <limits>
#include <sstream>
#include <stdexcept>

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "common/storage.h"

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

// Product of sizes that are not negative, where 64 bits hold it.
inline int64_t product(const char* op, std::initializer_list<int64_t> sizes) {
  int64_t result = 1;
  for (const int64_t size : sizes) {
    require(size == 0 || result <= std::numeric_limits<int64_t>::max() / size, op, ": more than 2^63 elements");
    result *= size;
  }
  return result;
}

// A contiguous tensor of the same numbers; the usual case, a contiguous one, is spared the dispatcher.
inline Tensor as_contiguous(const Tensor& tensor) {
  return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor);
}

// How the numbers of a floating point tensor are stored.
inline Storage storage_of(const char* op, const Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case ScalarType::Float:
      return Storage::float32;
    case ScalarType::Double:
      return Storage::float64;
    case ScalarType::BFloat16:
      return Storage::bfloat16;
    case ScalarType::Half:
      return Storage::float16;
    default:
      require(false, op, ": tensors must be float32, float64, bfloat16 or float16");
      return Storage::float32;
  }
}

// Type that a tensor's numbers are computed in.
inline ScalarType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

// Checks a tensor that lies beside `like` on the CPU.
inline void require_cpu(const char* op, const char* name, const Tensor& tensor, ScalarType type, int64_t elements) {
  require(tensor.is_cpu(), op, ": ", name, " must be on the CPU");
  require(tensor.scalar_type() == type, op, ": ", name, " has the wrong type");
  require(tensor.numel() == elements, op, ": ", name, " must have ", elements, " elements, got ", tensor.numel());
}

// Checks the type of positions or weights: that of the maps, or the one that is computed in.
inline void require_coordinates(const char* op, const char* name, const Tensor& tensor, const Tensor& maps,
                                int64_t elements) {
  const ScalarType type = tensor.scalar_type();
  require(type == maps.scalar_type() || type == compute_type(maps),
          op, ": ", name, " must have the type of the first tensor, or float32 beside a 16-bit one");
  require_cpu(op, name, tensor, type, elements);
}

// Calls `call` with a null pointer to the C++ type that stores the numbers of `tensor`.
template <typename Call>
void dispatch(const char* op, const Tensor& tensor, const Call& call) {
  switch (storage_of(op, tensor)) {
    case Storage::float32:
      return call(static_cast<float*>(nullptr));
    case Storage::float64:
      return call(static_cast<double*>(nullptr));
    case Storage::bfloat16:
      return call(static_cast<BFloat16*>(nullptr));
    case Storage::float16:
      return call(static_cast<Half*>(nullptr));
  }
}

}  // namespace bev_ops
