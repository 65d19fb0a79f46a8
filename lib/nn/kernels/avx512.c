/* x86-64 with AVX-512: vectors of sixteen floats, thirty-two registers. */
#if defined __x86_64__
#include "nn/kernels/kernels.h"

#include <immintrin.h>

#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif

#define LANES 16
#define TILE_PIXELS 14
#define TILE_TAIL 8
#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#define STREAM(p, v) _mm512_stream_ps(p, (__m512)(v))
#include "nn/kernels/source.h"

#if defined __clang__
#pragma clang attribute pop
#endif
#else
typedef int not_this_processor;
#endif
