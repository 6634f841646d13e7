// How numbers are stored, and what they are computed in.

#pragma once

#include <cstdint>
#include <type_traits>

namespace bev_ops {

// 16-bit numbers as their bits; arithmetic happens in float.
struct BFloat16 {
  uint16_t bits;
};

struct Half {
  uint16_t bits;
};

// Type of coordinates, weights and sums for maps stored as V.
template <typename V>
struct ComputeTypeOf {
  using type = float;
};

template <>
struct ComputeTypeOf<double> {
  using type = double;
};

template <typename V>
using ComputeType = typename ComputeTypeOf<V>::type;

// Run-time name of a storage type.
enum class Storage { float32, float64, bfloat16, float16 };

template <typename V>
constexpr Storage storage_type = Storage::float32;
template <>
constexpr Storage storage_type<double> = Storage::float64;
template <>
constexpr Storage storage_type<BFloat16> = Storage::bfloat16;
template <>
constexpr Storage storage_type<Half> = Storage::float16;

}  // namespace bev_ops
