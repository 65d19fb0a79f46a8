/* x86-64 with AVX2 and FMA: vectors of eight floats, sixteen registers. */
#if defined __x86_64__
#include "nn/kernels/kernels.h"

#include <immintrin.h>

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
#define STREAM(p, v) _mm256_stream_ps(p, (__m256)(v))
#include "nn/kernels/source.h"

#if defined __clang__
#pragma clang attribute pop
#endif
#else
typedef int not_this_processor;
#endif
