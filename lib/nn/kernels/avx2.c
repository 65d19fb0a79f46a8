/* x86-64 with AVX2 and FMA: vectors of eight floats, sixteen registers. */
#if defined __x86_64__
#include "nn/kernels/kernels.h"

#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define LANES 8
#define TILE_PIXELS 6
#define TILE_TAIL 4
#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#include "nn/kernels/source.h"

#if defined __clang__
#pragma clang attribute pop
#endif
#else
typedef int not_this_processor;
#endif
