// Runs CUDA kernels on the CPU, to test them where there is no GPU: what the kernels use of CUDA, for g++.
//
// A block's threads are fibers of one thread. A fiber runs until it waits at a barrier or shuffle; it goes on once all
// threads of the mask have arrived. Threads that wait for ever, or meet at different operations, are an error. Global
// memory is registered: accesses outside of it or misaligned, writes to inputs, two threads' writes to one place, and
// sums where plain writes belong, are errors as well. The first error is kept; the launch then ends.

#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

using std::floor;
using std::min;

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

inline Dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_host {

enum class Access { input, output, sum };

struct Allocation {
  uintptr_t begin, end;
  Access access;
  std::vector<int64_t> writer;  // thread that wrote a byte; -1 for none
};

struct Fiber {
  ucontext_t context{};
  jmp_buf resume{};
  std::vector<char> stack;
  bool started = false, ended = false;
  int64_t arrived = 0;       // operations that this thread has come to
  uint64_t posted[2] = {};   // values of this operation and the one before
  unsigned mask[2] = {};
  int64_t arrived_block = 0;  // barriers of the whole block
};

struct Machine {
  std::vector<Allocation> allocations;
  std::vector<Fiber> fibers;
  std::function<void()> kernel;
  jmp_buf scheduler{};
  size_t current = 0;
  bool progress = false;
  std::string error;
};

inline Machine machine;

[[noreturn]] inline void to_scheduler() { _longjmp(machine.scheduler, 1); }

template <typename... Parts>
void fail(const Parts&... parts) {
  if (machine.error.empty()) {
    std::ostringstream message;
    message << "block " << blockIdx.x << ", thread " << threadIdx.x << ": ";
    ((message << parts), ...);
    machine.error = message.str();
  }
  to_scheduler();
}

inline void yield() {
  if (_setjmp(machine.fibers[machine.current].resume) == 0) to_scheduler();
}

inline void check(const void* pointer, size_t bytes, size_t alignment, Access access) {
  const auto begin = reinterpret_cast<uintptr_t>(pointer), end = begin + bytes;
  const char* name = access == Access::input ? "read" : access == Access::output ? "write" : "sum";
  if (begin % alignment != 0) fail("misaligned ", name, " of ", bytes, " bytes");
  for (Allocation& known : machine.allocations) {
    if (begin < known.begin || end > known.end) continue;
    if (access == Access::input) return;
    if (access != known.access) fail(name, " to memory that is not meant for it");
    if (access == Access::sum) return;
    const int64_t self = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (uintptr_t byte = begin - known.begin; byte < end - known.begin; ++byte) {
      if (known.writer[byte] != -1) fail("second write to byte ", byte, ", first by thread ", known.writer[byte]);
      known.writer[byte] = self;
    }
    return;
  }
  fail(name, " of ", bytes, " bytes outside of all memory");
}

// Waits until all threads of the mask in this warp have posted a value; returns the slot where they lie.
inline int meet(unsigned mask, uint64_t value) {
  Fiber& self = machine.fibers[machine.current];
  const size_t warp = machine.current / 32 * 32;
  if (!(mask >> machine.current % 32 & 1)) fail("a thread is missing in its own mask");
  const int slot = static_cast<int>(self.arrived++ % 2);
  self.posted[slot] = value;
  self.mask[slot] = mask;
  machine.progress = true;
  for (size_t lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    if (warp + lane >= machine.fibers.size()) fail("mask names a thread beyond the block");
    Fiber& other = machine.fibers[warp + lane];
    while (other.arrived < self.arrived) {
      if (other.ended) fail("waits for thread ", warp + lane, ", which has ended");
      yield();
    }
    if (other.arrived == self.arrived && other.mask[slot] != mask) fail("threads meet with different masks");
  }
  return slot;
}

inline void run_fiber() {
  machine.kernel();
  machine.fibers[machine.current].ended = true;
  machine.progress = true;
  to_scheduler();
}

inline void resume(size_t index) {
  Fiber& fiber = machine.fibers[index];
  machine.current = index;
  threadIdx.x = static_cast<unsigned>(index);
  if (_setjmp(machine.scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.resume, 1);
  fiber.started = true;
  setcontext(&fiber.context);
}

inline void run_block(size_t threads) {
  for (size_t index = 0; index < threads; ++index) {
    Fiber& fiber = machine.fibers[index];
    fiber.started = fiber.ended = false;
    fiber.arrived = fiber.arrived_block = 0;
    fiber.stack.resize(1 << 15);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    makecontext(&fiber.context, run_fiber, 0);
  }
  for (bool running = true; running && machine.error.empty();) {
    running = machine.progress = false;
    for (size_t index = 0; index < threads && machine.error.empty(); ++index) {
      if (machine.fibers[index].ended) continue;
      running = true;
      resume(index);
    }
    if (running && !machine.progress && machine.error.empty()) machine.error = "threads wait for each other for ever";
  }
}

// Runs a kernel; returns an empty string or the first error.
inline std::string launch(unsigned blocks, unsigned threads, std::function<void()> kernel) {
  machine.kernel = std::move(kernel);
  machine.fibers.resize(threads);
  machine.error.clear();
  gridDim.x = blocks;
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks && machine.error.empty(); ++blockIdx.x) run_block(threads);
  return machine.error;
}

}  // namespace cuda_on_host

#define BEV_CHECK_READ(pointer, bytes, alignment) \
  cuda_on_host::check(pointer, bytes, alignment, cuda_on_host::Access::input)
#define BEV_CHECK_WRITE(pointer, bytes, alignment) \
  cuda_on_host::check(pointer, bytes, alignment, cuda_on_host::Access::output)
#define BEV_CHECK_ADD(pointer, bytes, alignment) \
  cuda_on_host::check(pointer, bytes, alignment, cuda_on_host::Access::sum)

inline void __syncwarp(unsigned mask) { cuda_on_host::meet(mask, 0); }

inline void __syncthreads() {
  using cuda_on_host::machine;
  const int64_t arrived = ++machine.fibers[machine.current].arrived_block;
  machine.progress = true;
  for (auto& other : machine.fibers) {
    while (other.arrived_block < arrived) {
      if (other.ended) cuda_on_host::fail("a thread has ended before a barrier of its block");
      cuda_on_host::yield();
    }
  }
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  const int slot = cuda_on_host::meet(mask, bits);
  const size_t partner = cuda_on_host::machine.current ^ static_cast<size_t>(distance);
  if (!(mask >> partner % 32 & 1)) cuda_on_host::fail("shuffle with a thread outside of the mask");
  std::memcpy(&value, &cuda_on_host::machine.fibers[partner].posted[slot], sizeof(T));
  return value;
}

inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
}

template <typename T>
void atomicAdd(T* to, T value) {
  *to += value;
}

namespace bev_ops {

inline float half_to_float(uint16_t bits) {
  _Float16 half;
  std::memcpy(&half, &bits, sizeof(half));
  return static_cast<float>(half);
}

inline uint16_t float_to_half(float value) {
  const auto half = static_cast<_Float16>(value);
  uint16_t bits;
  std::memcpy(&bits, &half, sizeof(half));
  return bits;
}

}  // namespace bev_ops
