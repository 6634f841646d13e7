// What the kernels need of the compiler and the device. The tests run them on the CPU: they define BEV_CUDA_ON_HOST and
// bring a stand-in for CUDA, which also checks each access to global memory.

#pragma once

#include "common/storage.h"

#ifdef BEV_CUDA_ON_HOST
#include "cuda_on_host.h"
#else

#include <cuda_fp16.h>

#define BEV_CHECK_READ(pointer, bytes, alignment)
#define BEV_CHECK_WRITE(pointer, bytes, alignment)
#define BEV_CHECK_ADD(pointer, bytes, alignment)

namespace bev_ops {

__device__ inline float half_to_float(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }

__device__ inline uint16_t float_to_half(float value) { return __half_as_ushort(__float2half_rn(value)); }

}  // namespace bev_ops

#endif

namespace bev_ops {

template <typename To, typename From>
__device__ inline To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "same bits");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

__device__ inline float widen(float value) { return value; }
__device__ inline double widen(double value) { return value; }
__device__ inline float widen(Half value) { return half_to_float(value.bits); }
__device__ inline float widen(BFloat16 value) { return same_bits<float>(static_cast<uint32_t>(value.bits) << 16); }

// Rounds to the nearest stored number, ties to even.
__device__ inline void narrow(float value, float* to) { *to = value; }
__device__ inline void narrow(double value, double* to) { *to = value; }
__device__ inline void narrow(float value, Half* to) { to->bits = float_to_half(value); }
__device__ inline void narrow(float value, BFloat16* to) {
  const uint32_t word = same_bits<uint32_t>(value);
  const bool nan = (word & 0x7fffffffu) > 0x7f800000u;
  to->bits = static_cast<uint16_t>(nan ? 0x7fc0u : (word + 0x7fffu + (word >> 16 & 1u)) >> 16);
}

// N numbers that are moved at once: 16 bytes, or a single number.
template <typename V, int N>
struct alignas(N * sizeof(V)) Pack {
  V numbers[N];
};

// Numbers that a thread handles at once where rows and pointers are multiples of 16 bytes.
template <typename V>
constexpr int wide_pack = 16 / static_cast<int>(sizeof(V));

template <int N, typename V, typename A>
__device__ inline void read(const V* from, A (&to)[N]) {
  BEV_CHECK_READ(from, N * sizeof(V), N * sizeof(V));
  const auto pack = *reinterpret_cast<const Pack<V, N>*>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = widen(pack.numbers[i]);
}

template <typename V>
__device__ inline ComputeType<V> read(const V* from) {
  BEV_CHECK_READ(from, sizeof(V), sizeof(V));
  return widen(*from);
}

template <int N, typename V, typename A>
__device__ inline void write(V* to, const A (&from)[N]) {
  BEV_CHECK_WRITE(to, N * sizeof(V), N * sizeof(V));
  Pack<V, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) narrow(from[i], &pack.numbers[i]);
  *reinterpret_cast<Pack<V, N>*>(to) = pack;
}

// Adds to N numbers; `to` is a multiple of 16 bytes where N is more than one. From compute capability 9.0 on, four
// numbers of float32 are one transaction.
template <int N, typename A>
__device__ inline void add(A* to, A factor, const A (&from)[N]) {
  BEV_CHECK_ADD(to, N * sizeof(A), N > 1 ? 16 : sizeof(A));
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if constexpr (std::is_same_v<A, float> && N % 4 == 0) {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      const float4 four{factor * from[i], factor * from[i + 1], factor * from[i + 2], factor * from[i + 3]};
      atomicAdd(reinterpret_cast<float4*>(to + i), four);
    }
  } else
#endif
  {
#pragma unroll
    for (int i = 0; i < N; ++i) atomicAdd(to + i, factor * from[i]);
  }
}

// Division of numbers below 2^63 by one that the host knows, as a product: a division of 64-bit numbers is a function
// call on the device. With l = ceil(log2(d)) and m = ceil(2^(63 + l) / d), the quotient of n is floor(n * m / 2^(63 + l)).
class Divisor {
 public:
  Divisor() = default;

  explicit Divisor(int64_t divisor) : divisor_(divisor > 0 ? static_cast<uint64_t>(divisor) : 1) {
    int bits = 0;
    while ((uint64_t{1} << bits) < divisor_) ++bits;
    const unsigned __int128 power = static_cast<unsigned __int128>(1) << (63 + bits);
    factor_ = static_cast<uint64_t>((power + divisor_ - 1) / divisor_);
    shift_ = bits - 1;
  }

  __device__ int64_t quotient(int64_t n) const {
    const auto number = static_cast<uint64_t>(n);
    return static_cast<int64_t>(divisor_ == 1 ? number : __umul64hi(number, factor_) >> shift_);
  }

  __device__ int64_t remainder(int64_t n) const { return n - quotient(n) * static_cast<int64_t>(divisor_); }

 private:
  uint64_t divisor_ = 1, factor_ = 0;
  int shift_ = 0;
};

// Threads of one warp that work on one group of one query: a power of two of them, next to each other.
struct Team {
  int size, rank;
  unsigned mask;

  __device__ explicit Team(int size_) : size(size_), rank(static_cast<int>(threadIdx.x) % size_) {
    const unsigned lane = threadIdx.x % 32;
    mask = size == 32 ? 0xffffffffu : ((1u << size) - 1) << (lane - static_cast<unsigned>(rank));
  }

  __device__ void sync() const { __syncwarp(mask); }

  template <typename A>
  __device__ A sum(A value) const {
    for (int distance = size / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(mask, value, distance);
    return value;
  }
};

}  // namespace bev_ops
