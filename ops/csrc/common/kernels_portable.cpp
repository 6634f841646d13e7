// The kernels for any processor: vectors of 16 bytes, which are SSE2 on x86-64 and NEON on aarch64.

#include <utility>

#include "common/kernel_table.h"
#include "fused/fused.h"

#define BEV_TARGET portable
#define BEV_VECTOR_BYTES 16
#include "common/kernels.h"
#include "fused/kernels.h"
