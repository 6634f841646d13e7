// The kernels for processors with AVX-512.

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined operands inside its own intrinsics for mistakes (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <utility>

#include "common/kernel_table.h"
#include "fused/fused.h"

#define BEV_TARGET avx512
#define BEV_VECTOR_BYTES 64
#define BEV_HAS_F16C
#define BEV_HAS_AVX512
// prefetchw does nothing on processors that lack it: target.h needn't ask.
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c,prfchw")
#include "common/kernels.h"
#include "fused/kernels.h"
#pragma GCC pop_options
#endif
