// The kernels for processors with AVX2, FMA and F16C.

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#include <utility>

#include "common/kernel_table.h"
#include "fused/fused.h"

#define BEV_TARGET avx2
#define BEV_VECTOR_BYTES 32
#define BEV_HAS_F16C
// prefetchw does nothing on processors that lack it: target.h needn't ask.
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,prfchw")
#include "common/kernels.h"
#include "fused/kernels.h"
#pragma GCC pop_options
#endif
